use super::*;
use expect_test::{Expect, expect};
use std::sync::Arc;
use workload::{Image, MountSpec, VolumesFrom};

fn volume(name: &str, source: VolumeSource) -> VolumeSpec {
    VolumeSpec { name: name.into(), source }
}

fn docker(name: &str, shared: bool, autoprovision: bool, driver: &str) -> VolumeSource {
    let (options, labels) = Default::default();
    VolumeSource::Docker { name: name.into(), shared, autoprovision, driver: driver.into(), options, labels }
}

fn mount(volume: &str, container_path: &str, read_only: bool) -> MountSpec {
    MountSpec { volume: volume.into(), container_path: container_path.into(), read_only }
}

fn from(container: &str, read_only: bool) -> VolumesFrom {
    VolumesFrom { container: container.into(), read_only }
}

fn container(name: &str, mounts: Vec<MountSpec>, volumes_from: Vec<VolumesFrom>) -> ContainerSpec {
    ContainerSpec { name: name.into(), mounts, volumes_from, ..ContainerSpec::default() }
}

fn facts(volumes: Vec<VolumeSpec>, containers: Vec<ContainerSpec>, declared: &[(&str, &[&str])]) -> Facts {
    let image = |volumes: &[&str]| Image { volumes: volumes.iter().map(|v| (*v).into()).collect(), ..Image::default() };
    let images = declared.iter().map(|(name, volumes)| ((*name).to_owned(), Arc::new(image(volumes)))).collect();
    let spec = Arc::new(TaskSpec { id: "t".into(), volumes, containers, ..TaskSpec::default() });
    Facts { spec, images, attachments: BTreeMap::new() }
}

fn volumes_at(data: &Path) -> Volumes {
    Volumes::new(data, FileSystems::new(), "/nowhere".into())
}

/// What the first container sees.
fn check(facts: Facts, expected: Expect) {
    let line = |m: Mount| {
        let (access, fills) = (if m.read_only { "ro" } else { "rw" }, if m.fills { " fills" } else { "" });
        format!("{} <- {} {access}{fills}\n", m.target, m.source.display())
    };
    let text = match volumes_at(Path::new("/data")).mounts(&facts, &facts.spec.containers[0]) {
        Ok(mounts) => mounts.into_iter().map(line).collect(),
        Err(error) => format!("{error}\n"),
    };
    expected.assert_eq(&text);
}

#[test]
fn each_kind_of_volume_has_its_place() {
    let volumes = vec![
        volume("scratch", VolumeSource::Task),
        volume("etc", VolumeSource::Host { path: "/etc".into() }),
        volume("db", docker("db", true, true, "local")),
        volume("tmp", docker("tmp", false, false, "")),
    ];
    let mounts =
        vec![mount("scratch", "/a/", false), mount("etc", "/b", true), mount("db", "/c", false), mount("tmp", "/d", false)];
    check(
        facts(volumes, vec![container("app", mounts, vec![])], &[("app", &["/data", "/a"])]),
        expect![[r#"
            /a <- /data/volumes/t/scratch rw fills
            /b <- /etc ro
            /c <- /data/shared-volumes/db rw fills
            /d <- /data/volumes/t/tmp rw fills
            /data <- /data/volumes/t/.image/app/%2Fdata rw fills
        "#]],
    );
}

#[test]
fn volumes_from_brings_everything_the_other_sees() {
    let volumes = vec![volume("a", VolumeSource::Task), volume("b", VolumeSource::Task)];
    let app = container("app", vec![mount("b", "/b", false)], vec![from("data", true)]);
    let data = container("data", vec![mount("a", "/a", false), mount("a", "/b", false)], vec![from("deep", false)]);
    let deep = container("deep", vec![], vec![from("app", false)]);
    check(
        facts(volumes, vec![app, data, deep], &[("data", &["/image"]), ("deep", &["/deep"])]),
        expect![[r#"
            /a <- /data/volumes/t/a ro fills
            /b <- /data/volumes/t/b rw fills
            /deep <- /data/volumes/t/.image/deep/%2Fdeep ro fills
            /image <- /data/volumes/t/.image/data/%2Fimage ro fills
        "#]],
    );
}

#[test]
fn what_cannot_be_had_is_said_as_docker_says_it() {
    let app = |volume: &str| vec![container("app", vec![mount(volume, "/a", false)], vec![])];
    let cases = [
        (
            vec![],
            "v",
            expect![[r#"
            container app mounts the volume v, which the task does not have
        "#]],
        ),
        (
            vec![volume("v", docker("v", false, true, "rexray/ebs"))],
            "v",
            expect![[r#"
            create v: error looking up volume plugin rexray/ebs: plugin "rexray/ebs" not found
        "#]],
        ),
        (
            vec![volume("v", docker("../v", false, true, ""))],
            "v",
            expect![[r#"
            create ../v: volume name is invalid
        "#]],
        ),
    ];
    for (volumes, name, expected) in cases {
        check(facts(volumes, app(name), &[]), expected);
    }
}

#[test]
fn a_shared_volume_stays_and_is_not_made_unless_asked() {
    let data = tempfile::tempdir().unwrap();
    let volumes = volumes_at(data.path());
    let spec = |autoprovision| TaskSpec {
        id: "t".into(),
        volumes: vec![volume("own", VolumeSource::Task), volume("all", docker("all", true, autoprovision, "local"))],
        ..TaskSpec::default()
    };
    assert_eq!(volumes.prepare(&spec(false)).unwrap_err().to_string(), "get all: no such volume");
    volumes.prepare(&spec(true)).unwrap();
    volumes.prepare(&spec(false)).unwrap();
    volumes.remove(&spec(true)).unwrap();
    volumes.remove(&spec(true)).unwrap();
    let left = |name: &str| data.path().join(name).exists();
    assert_eq!((left("volumes/t"), left("shared-volumes/all")), (false, true));
}

#[test]
fn a_host_path_is_made_when_it_is_missing_and_left_when_the_task_goes() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join("host/deep");
    let source = VolumeSource::Host { path: path.display().to_string() };
    let spec = TaskSpec { id: "t".into(), volumes: vec![volume("h", source)], ..TaskSpec::default() };
    let volumes = volumes_at(data.path());
    volumes.prepare(&spec).unwrap();
    volumes.remove(&spec).unwrap();
    assert!(path.is_dir());
}

#[test]
fn what_is_in_a_file_system_is_never_removed() {
    let data = tempfile::tempdir().unwrap();
    let source = VolumeSource::Efs { file_system: "fs-1".into(), root: "/".into(), options: BTreeMap::new() };
    let spec = TaskSpec { id: "t".into(), volumes: vec![volume("e", source)], ..TaskSpec::default() };
    let volumes = volumes_at(data.path());
    let theirs = data.path().join("volumes/t/e/theirs");
    fs::create_dir_all(theirs.parent().unwrap()).unwrap();
    fs::write(&theirs, "").unwrap();
    volumes.remove(&spec).unwrap_err();
    assert!(theirs.exists());
    fs::remove_file(&theirs).unwrap();
    volumes.remove(&spec).unwrap();
    assert!(!data.path().join("volumes/t").exists());
}
