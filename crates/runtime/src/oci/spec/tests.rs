use super::*;
use crate::{Bind, ContainerId, PrivateFile};
use expect_test::{Expect, expect};
use std::sync::Arc;
use workload::{DeviceSpec, Image, NetworkMode, Secret, TaskSpec, TmpfsSpec};

fn host() -> HostFacts {
    HostFacts {
        cgroup_path: "/slipway/t/c".into(),
        bounding: capability::ALL,
        passwd: "root:x:0:0:root:/root:/bin/sh\n".into(),
        rootfs: "/r/merged".into(),
        files: "/r".into(),
        has_mqueue: true,
        shared_memory: "/t/.shm".into(),
        init: "/usr/bin/slipway".into(),
        ..HostFacts::default()
    }
}

fn run(container: ContainerSpec) -> ContainerRun {
    let container = ContainerSpec { name: "c".into(), ..container };
    ContainerRun {
        id: ContainerId { task: "t".into(), container: "c".into() },
        runtime_id: "0".repeat(64),
        again: false,
        task: Arc::new(TaskSpec { id: "t".into(), containers: vec![container], ..TaskSpec::default() }),
        image: Image {
            command: vec!["sleep".into(), "1".into()],
            environment: vec!["A=image".into(), "B=image".into()],
            ..Image::default()
        },
        netns: Some("/run/netns/t".into()),
        binds: Vec::new(),
        hostname: "box".into(),
        hosts: None,
        resolv_conf: None,
        environment: vec![("A".into(), "container".into())],
        secrets: Vec::new(),
        files: Vec::new(),
    }
}

fn compile(run: &ContainerRun, host: &HostFacts) -> Compiled {
    spec(run, host).unwrap()
}

fn check_mounts(run: &ContainerRun, host: &HostFacts, expected: Expect) {
    let compiled = compile(run, host);
    let lines = compiled.spec.mounts().iter().flatten().map(|m| {
        let source = m.source().as_ref().unwrap().display();
        format!(
            "{} {source} {} {}\n",
            m.typ().as_ref().unwrap(),
            m.destination().display(),
            m.options().as_ref().unwrap().join(",")
        )
    });
    expected.assert_eq(&lines.collect::<String>());
}

fn check_namespaces(change: impl Fn(&mut ContainerRun), pause: Option<i32>, v2: bool, expected: Expect) {
    let mut run = run(ContainerSpec::default());
    change(&mut run);
    let compiled = compile(&run, &HostFacts { pause, cgroup_v2: v2, ..host() });
    let namespaces = compiled.spec.linux().as_ref().unwrap().namespaces().as_ref().unwrap();
    let words = namespaces
        .iter()
        .map(|n| format!("{}{}", n.typ(), n.path().as_ref().map(|p| format!("={}", p.display())).unwrap_or_default()));
    expected.assert_eq(&words.collect::<Vec<_>>().join(" "));
}

#[test]
fn mounts_are_dockers_in_dockers_order() {
    check_mounts(
        &run(ContainerSpec::default()),
        &host(),
        expect![[r#"
            proc proc /proc nosuid,noexec,nodev
            tmpfs tmpfs /dev nosuid,strictatime,mode=755,size=65536k
            devpts devpts /dev/pts nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5
            sysfs sysfs /sys nosuid,noexec,nodev,ro
            mqueue mqueue /dev/mqueue nosuid,noexec,nodev
            tmpfs shm /dev/shm nosuid,noexec,nodev,mode=1777,size=67108864
            bind /r/hostname /etc/hostname rbind,rprivate,rw
        "#]],
    );
}

#[test]
fn volumes_follow_by_depth_and_tmpfs_keeps_dockers_defaults() {
    let tmpfs = |path: &str, options: &[&str]| TmpfsSpec {
        container_path: path.into(),
        size_mib: 16,
        options: options.iter().map(|o| (*o).into()).collect(),
    };
    let container = ContainerSpec {
        tmpfs: vec![tmpfs("/run", &[]), tmpfs("/x", &["exec", "mode=700", "nosuid"])],
        shm_size_mib: Some(128),
        init_process: true,
        ..Default::default()
    };
    let bind = |source: &str, target: &str, read_only| Bind { source: source.into(), target: target.into(), read_only };
    let binds = vec![bind("/v/deep", "/data/deep", true), bind("/v/data", "/data", false)];
    let run = ContainerRun { binds, hosts: Some("h".into()), resolv_conf: Some("r".into()), ..run(container) };
    check_mounts(
        &run,
        &HostFacts { has_mqueue: false, cgroup_v2: true, ..host() },
        expect![[r#"
            proc proc /proc nosuid,noexec,nodev
            tmpfs tmpfs /dev nosuid,strictatime,mode=755,size=65536k
            devpts devpts /dev/pts nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5
            sysfs sysfs /sys nosuid,noexec,nodev,ro
            cgroup cgroup /sys/fs/cgroup nosuid,noexec,nodev,ro
            tmpfs shm /dev/shm nosuid,noexec,nodev,mode=1777,size=134217728
            bind /r/hostname /etc/hostname rbind,rprivate,rw
            bind /r/hosts /etc/hosts rbind,rprivate,rw
            bind /r/resolv.conf /etc/resolv.conf rbind,rprivate,rw
            bind /usr/bin/slipway /dev/init rbind,rprivate,ro
            tmpfs tmpfs /run noexec,nosuid,nodev,size=16m
            tmpfs tmpfs /x nosuid,nodev,exec,mode=700,size=16m
            bind /v/data /data rbind,rprivate,rw
            bind /v/deep /data/deep rbind,rprivate,ro
        "#]],
    );
}

#[test]
fn namespaces_follow_the_tasks_modes() {
    let modes = |pid_mode, ipc_mode| {
        move |run: &mut ContainerRun| run.task = Arc::new(TaskSpec { pid_mode, ipc_mode, ..(*run.task).clone() })
    };
    check_namespaces(|_| (), None, false, expect!["mnt uts ipc pid net=/run/netns/t"]);
    check_namespaces(|_| (), None, true, expect!["mnt uts ipc pid net=/run/netns/t cgroup"]);
    check_namespaces(modes(Sharing::Host, Sharing::Host), None, false, expect!["mnt uts net=/run/netns/t"]);
    check_namespaces(
        modes(Sharing::Task, Sharing::Private),
        Some(9),
        false,
        expect!["mnt uts ipc pid=/proc/9/ns/pid net=/run/netns/t"],
    );
    check_namespaces(
        modes(Sharing::Private, Sharing::Task),
        Some(9),
        false,
        expect!["mnt uts ipc=/proc/9/ns/ipc pid net=/run/netns/t"],
    );
    let host_network = |run: &mut ContainerRun| {
        run.netns = None;
        run.task = Arc::new(TaskSpec { network_mode: NetworkMode::Host, ..(*run.task).clone() });
    };
    check_namespaces(host_network, None, false, expect!["mnt uts ipc pid"]);
}

#[test]
fn the_environment_is_dockers_then_the_containers_then_the_images() {
    let text = |run: &ContainerRun| compile(run, &host()).program.environment.join("\n");
    expect![[r#"
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
        HOSTNAME=box
        A=container
        B=image
        HOME=/root"#]]
    .assert_eq(&text(&run(ContainerSpec::default())));
    let mut own = run(ContainerSpec { pseudo_terminal: true, ..Default::default() });
    own.environment = vec![("PATH".into(), "/bin".into()), ("HOME".into(), "/srv".into())];
    expect![[r#"
        PATH=/bin
        HOSTNAME=box
        TERM=xterm
        HOME=/srv
        A=image
        B=image"#]]
    .assert_eq(&text(&own));
}

#[test]
fn secrets_stand_over_all_other_variables_and_are_not_printed() {
    let mut run = run(ContainerSpec::default());
    run.secrets = vec![("A".into(), Secret("secret".into())), ("S".into(), Secret("secret".into()))];
    let environment = compile(&run, &host()).program.environment;
    assert!(environment.contains(&"A=secret".to_owned()) && environment.contains(&"S=secret".to_owned()), "{environment:?}");
    assert!(!format!("{run:?}").contains("secret\""));
}

#[test]
fn private_files_are_bound_last_and_read_only() {
    let file = |target: &str| PrivateFile { target: target.into(), content: Secret("secret".into()) };
    let binds = vec![Bind { source: "/v/data".into(), target: "/data".into(), read_only: false }];
    let run = ContainerRun { binds, files: vec![file("/data/a"), file("/b")], ..run(ContainerSpec::default()) };
    let host = HostFacts { private_files: "/r/start/files".into(), ..host() };
    let mounts = compile(&run, &host).spec.mounts().clone().unwrap_or_default();
    let line = |mount: &oci::Mount| {
        let options = mount.options().as_ref().unwrap().join(",");
        format!("{} {} {options}", mount.source().as_ref().unwrap().display(), mount.destination().display())
    };
    let last: Vec<String> = mounts.iter().rev().take(3).rev().map(line).collect();
    expect![[r#"
        /v/data /data rbind,rprivate,rw
        /r/start/files/0 /data/a rbind,rprivate,ro
        /r/start/files/1 /b rbind,rprivate,ro"#]]
    .assert_eq(&last.join("\n"));
}

#[test]
fn neither_arguments_nor_environment_stand_in_the_document() {
    let mut run = run(ContainerSpec { command: Some(vec!["sh".into(), "hunter2".into()]), ..Default::default() });
    run.environment.push(("PASSWORD".into(), "hunter3".into()));
    let document = serde_json::to_string(&compile(&run, &host()).spec).unwrap();
    assert!(!document.contains("hunter"), "{document}");
}

#[test]
fn privileged_is_everything_we_have_ourselves() {
    let container = ContainerSpec { privileged: true, ..Default::default() };
    let bounding = capability::ALL & !capability::bit("SYS_RESOURCE");
    let compiled = compile(&run(container), &HostFacts { bounding, ..host() });
    let linux = compiled.spec.linux().as_ref().unwrap();
    assert_eq!(compiled.program.capabilities, bounding);
    assert!(!compiled.program.seccomp);
    assert_eq!(linux.masked_paths().as_ref().map(Vec::len), Some(0));
    assert_eq!(compiled.devices, [crate::oci::cgroup::devices::EVERYTHING]);
}

#[test]
fn a_device_is_made_and_allowed_or_refused_in_dockers_words() {
    let device =
        |path: &str| DeviceSpec { host_path: path.into(), container_path: String::new(), read: true, write: false, mknod: false };
    let container = |path: &str| ContainerSpec { devices: vec![device(path)], ..Default::default() };
    let node = device::Node { kind: crate::oci::cgroup::devices::Kind::Char, major: 10, minor: 229, mode: 0o666, uid: 0, gid: 0 };
    let host = HostFacts { devices: BTreeMap::from([("/dev/fuse".to_owned(), node)]), ..host() };
    let compiled = compile(&run(container("/dev/fuse")), &host);
    assert_eq!((compiled.devices[0].major, compiled.devices[0].read, compiled.devices[0].write), (Some(10), true, false));
    let error = spec(&run(container("/dev/none")), &host).unwrap_err();
    expect![[r#"error gathering device information while adding custom device "/dev/none": no such file or directory"#]]
        .assert_eq(&error.to_string());
}

#[test]
fn the_working_directory_is_the_containers_the_images_or_the_root() {
    let of = |own: Option<&str>, image: &str| {
        let mut run = run(ContainerSpec { working_directory: own.map(str::to_owned), ..Default::default() });
        run.image.working_directory = image.to_owned();
        compile(&run, &host()).program.working_directory
    };
    assert_eq!(
        (of(None, ""), of(None, "/srv"), of(Some("/own"), "/srv"), of(Some("rel"), "")),
        ("/".into(), "/srv".into(), "/own".into(), "/rel".into())
    );
}

#[test]
fn no_new_privileges_has_two_spellings() {
    let of = |own: bool, options: &[&str]| {
        let container = ContainerSpec {
            no_new_privileges: own,
            security_options: options.iter().map(|o| (*o).into()).collect(),
            ..Default::default()
        };
        compile(&run(container), &host()).program.no_new_privileges
    };
    assert_eq!(
        (of(false, &[]), of(true, &[]), of(false, &["no-new-privileges"]), of(false, &["no-new-privileges:true"])),
        (false, true, true, true)
    );
}
