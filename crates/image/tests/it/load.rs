//! Archives in every form, and what a crash or a lie leaves behind.

use crate::support::archive::{Built, Files, Packing, built, directory, index, layout, named, packed, put, tar};
use crate::support::{files, open, tree};
use image::{Content, Digest, Error, Loaded, Origin, Progress, StaticFile, Store};
use serde_json::json;
use std::path::Path;
use tempfile::TempDir;

const HELLO: &str = "f 755 0:0 hello hi";

fn home() -> (TempDir, Store) {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    (home, store)
}

async fn load(home: &TempDir, store: &Store, name: &str, bytes: &[u8]) -> Result<Vec<Loaded>, Error> {
    let file = home.path().join(name);
    std::fs::write(&file, bytes).unwrap();
    store.load(&file).await
}

async fn ensure(store: &Store, name: &str) -> Result<workload::Image, Error> {
    store.ensure(name, None, Progress::none()).await
}

async fn content(store: &Store, name: &str) -> String {
    match ensure(store, name).await {
        Ok(image) => image.layers.iter().map(|layer| tree::list(layer)).collect::<Vec<_>>().join("\n--\n"),
        Err(error) => error.to_string(),
    }
}

fn nothing_left(home: &Path) {
    let images = home.join("images");
    let sessions = files(&images.join("tmp"));
    let unfinished: Vec<String> = sessions.iter().flat_map(|session| files(&images.join("tmp").join(session))).collect();
    assert_eq!(unfinished, [""; 0]);
}

#[tokio::test]
async fn an_archive_of_docker_save_is_loaded() {
    let (home, store) = home();
    let image = Built {
        config: json!({"Entrypoint": ["/hello"], "Cmd": ["a"], "Env": ["A=1"], "User": "7", "WorkingDir": "/w", "StopSignal": "SIGINT",
            "Volumes": {"/v": {}}, "ExposedPorts": {"80/tcp": {}}, "Labels": {"k": "v"}}),
        ..built(&[HELLO, "f 644 0:0 other x"])
    };
    let loaded = load(&home, &store, "x.tar", &tar(&image.docker_save(&["app:v1", "team/app:v2"]))).await.unwrap();
    assert_eq!(loaded[0].names, ["app:v1", "team/app:v2"]);
    let image = ensure(&store, "library/app:v1").await.unwrap();
    let expected = workload::Image {
        digest: loaded[0].digest.to_string(),
        layers: image.layers.clone(),
        entry_point: vec!["/hello".into()],
        command: vec!["a".into()],
        environment: vec!["A=1".into()],
        user: "7".into(),
        working_directory: "/w".into(),
        stop_signal: Some("SIGINT".into()),
        volumes: vec!["/v".into()],
        exposed_ports: vec!["80/tcp".into()],
        labels: [("k".into(), "v".into())].into(),
    };
    assert_eq!(image, expected);
    assert_eq!(content(&store, "team/app:v2").await, "f 755 0:0 hello hi\n--\nf 644 0:0 other x");
    assert_eq!(ensure(&store, &format!("app@{}", image.digest)).await.unwrap(), image);
    assert!(matches!(ensure(&store, "app").await, Err(Error::NoRegistry(name)) if name == "app:latest"));
    nothing_left(home.path());
}

#[tokio::test]
async fn layers_are_found_behind_the_links_old_dockers_wrote() {
    let (home, store) = home();
    let image = built(&[HELLO, HELLO]);
    let mut files = image.docker_save(&["app:v1"]);
    files.remove("1/layer.tar");
    let mut builder = tar::Builder::new(tar(&files));
    builder.get_mut().truncate(tar(&files).len() - 1024);
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    builder.append_link(&mut header, "1/layer.tar", "../0/layer.tar").unwrap();
    load(&home, &store, "x.tar", &builder.into_inner().unwrap()).await.unwrap();
    assert_eq!(content(&store, "app:v1").await, "f 755 0:0 hello hi\n--\nf 755 0:0 hello hi");
}

#[tokio::test]
async fn a_layout_is_loaded_as_directory_and_archive_in_every_packing() {
    for packing in [Packing::Plain, Packing::Gzip, Packing::Zstd] {
        let (home, store) = home();
        let (blobs, descriptor) = built(&[HELLO]).blobs(packing);
        let digest = descriptor["digest"].as_str().unwrap().to_owned();
        let files = layout(blobs, &[descriptor]);
        directory(&home.path().join("my-app"), &files);
        let loaded = store.load(&home.path().join("my-app")).await.unwrap();
        assert_eq!((loaded[0].names.join(" "), loaded[0].digest.to_string()), ("my-app:latest".to_owned(), digest));
        let archive = packed(&tar(&files), packing);
        load(&home, &store, "Other_App.tar.gz", &archive).await.unwrap();
        assert_eq!(content(&store, "other_app").await, "f 755 0:0 hello hi");
        nothing_left(home.path());
    }
}

#[tokio::test]
async fn names_come_from_wherever_the_tool_put_them() {
    let (home, store) = home();
    let (blobs, image) = built(&[HELLO]).blobs(Packing::Gzip);
    for (annotations, expected) in [
        (
            json!({"io.containerd.image.name": "registry.test/team/a:v1", "org.opencontainers.image.ref.name": "v1"}),
            "team/a:v1 registry.test/team/a:v1",
        ),
        (json!({"org.opencontainers.image.ref.name": "v2"}), "file:v2"),
        (json!({"org.opencontainers.image.ref.name": "registry.test/b:v3"}), "registry.test/b:v3"),
        (json!({}), "file:latest"),
    ] {
        let files = layout(blobs.clone(), &[named(image.clone(), annotations)]);
        let loaded = load(&home, &store, "file.tar", &tar(&files)).await.unwrap();
        assert_eq!(loaded[0].names.join(" "), expected);
    }
    // A newer Docker writes both forms; the user's own spelling is in the older one.
    let mut both = built(&[HELLO]).docker_save(&["short:v4"]);
    both.extend(layout(blobs, &[named(image, json!({"io.containerd.image.name": "registry.test/library/short:v4"}))]));
    let loaded = load(&home, &store, "file.tar", &tar(&both)).await.unwrap();
    assert_eq!(loaded[0].names, ["short:v4"]);
}

#[tokio::test]
async fn of_many_machines_images_ours_is_taken() {
    let (home, store) = home();
    let ours = built(&[HELLO]);
    let theirs = Built { architecture: "arm64", ..built(&["f 755 0:0 hello their"]) };
    let (mut blobs, other) = theirs.blobs(Packing::Plain);
    let (more, mine) = ours.blobs(Packing::Plain);
    blobs.extend(more);
    let list = put(&mut blobs, "application/vnd.oci.image.index.v1+json", index(&[other.clone(), mine]));
    let loaded = load(&home, &store, "both.tar", &tar(&layout(blobs.clone(), std::slice::from_ref(&list)))).await.unwrap();
    assert_eq!(loaded[0].digest.to_string(), list["digest"].as_str().unwrap(), "the list's digest is reported");
    assert_eq!(content(&store, "both").await, "f 755 0:0 hello hi");
    let error = load(&home, &store, "one.tar", &tar(&layout(blobs, &[other]))).await.unwrap_err();
    assert!(matches!(error, Error::NoMatchingPlatform { .. }), "{error}");
}

#[tokio::test]
async fn what_is_not_what_it_says_is_refused_and_leaves_nothing() {
    let spoil = |files: &mut Files, name: &str| files.get_mut(name).unwrap()[0] ^= 1;
    let image = built(&[HELLO]);
    let saved = image.docker_save(&["app:v1"]);
    let mut wrong_layer = saved.clone();
    wrong_layer.insert("0/layer.tar".to_owned(), tree::pack("f 755 0:0 hello evil"));
    let mut wrong_configuration = saved.clone();
    spoil(&mut wrong_configuration, &format!("{}.json", Digest::of(&image.configuration()).hex()));
    let mut missing_layer = saved.clone();
    missing_layer.remove("0/layer.tar");
    let (blobs, descriptor) = image.blobs(Packing::Gzip);
    let whole = layout(blobs, std::slice::from_ref(&descriptor));
    let mut trailing = whole.clone();
    let layer = format!("blobs/sha256/{}", Digest::of(&packed(&image.layers[0], Packing::Gzip)).hex());
    trailing.get_mut(&layer).unwrap().extend(packed(b"", Packing::Gzip));
    let mut wrong_manifest = whole.clone();
    spoil(&mut wrong_manifest, &format!("blobs/sha256/{}", &descriptor["digest"].as_str().unwrap()[7..]));
    for (what, files) in [
        ("layer:", wrong_layer),
        (".json: expected", wrong_configuration),
        ("0/layer.tar is missing", missing_layer),
        ("layer blob: expected", trailing),
        ("blobs/sha256/", wrong_manifest),
        ("neither an OCI layout", Files::from([("x".to_owned(), vec![])])),
    ] {
        let (home, store) = home();
        let error = load(&home, &store, "x.tar", &tar(&files)).await.unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
        assert!(store.list().await.unwrap().is_empty());
        assert_eq!(files_of(&home, "layers"), [""; 0]);
        nothing_left(home.path());
    }
    let (home, store) = home();
    for torn in [&b"not a tar"[..], &tar(&saved)[..700], b""] {
        assert!(load(&home, &store, "x.tar", torn).await.is_err());
    }
    assert!(store.load(&home.path().join("absent")).await.is_err());
}

fn files_of(home: &TempDir, name: &str) -> Vec<String> {
    files(&home.path().join("images").join(name))
}

#[tokio::test]
async fn a_layer_two_images_share_is_unpacked_once() {
    let (home, store) = home();
    for (name, layers) in [("a:v1", [HELLO, "f 644 0:0 a 1"]), ("b:v1", [HELLO, "f 644 0:0 b 1"])] {
        load(&home, &store, "x.tar", &tar(&built(&layers).docker_save(&[name]))).await.unwrap();
    }
    let (a, b) = (ensure(&store, "a:v1").await.unwrap(), ensure(&store, "b:v1").await.unwrap());
    assert_eq!(a.layers[0], b.layers[0]);
    assert_eq!(files_of(&home, "layers").len(), 3);
    assert_eq!(files_of(&home, "l"), ["0", "1", "2"], "short names for mount options");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_loads_at_once_agree() {
    let (home, store) = home();
    let archive = tar(&built(&[HELLO, "f 644 0:0 a 1", "f 644 0:0 b 1"]).docker_save(&["app:v1"]));
    let file = home.path().join("x.tar");
    std::fs::write(&file, archive).unwrap();
    let loads: Vec<_> = (0..8)
        .map(|_| {
            let (store, file) = (store.clone(), file.clone());
            tokio::spawn(async move { store.load(&file).await })
        })
        .collect();
    // The way another process would.
    let other = open(home.path());
    let across = tokio::spawn(async move { other.load(&file).await });
    let mut digests = vec![across.await.unwrap().unwrap()[0].digest.clone()];
    for load in loads {
        digests.push(load.await.unwrap().unwrap()[0].digest.clone());
    }
    digests.dedup();
    assert_eq!(digests.len(), 1);
    assert_eq!(files_of(&home, "layers").len(), 3);
    nothing_left(home.path());
}

#[tokio::test]
async fn what_was_loaded_is_there_after_a_restart_and_seen_by_other_processes() {
    let (home, store) = home();
    let other = open(home.path());
    load(&home, &store, "x.tar", &tar(&built(&[HELLO]).docker_save(&["app:v1"]))).await.unwrap();
    let image = ensure(&store, "app:v1").await.unwrap();
    assert_eq!(ensure(&other, "app:v1").await.unwrap(), image);
    drop((store, other));
    std::fs::create_dir_all(home.path().join("images/tmp/crashed/half")).unwrap();
    let store = open(home.path());
    assert_eq!(ensure(&store, "app:v1").await.unwrap(), image);
    assert!(!home.path().join("images/tmp/crashed").exists());
    load(&home, &store, "x.tar", &tar(&built(&["f 755 0:0 hello again"]).docker_save(&["app:v1"]))).await.unwrap();
    assert_eq!(content(&store, "app:v1").await, "f 755 0:0 hello again");
}

#[tokio::test]
async fn a_static_image_is_the_same_everywhere() {
    let file = |path: &str, content| StaticFile { path: path.to_owned(), mode: 0o755, content };
    let how = workload::Image { entry_point: vec!["/hello".into()], exposed_ports: vec!["80/tcp".into()], ..Default::default() };
    let mut digests = Vec::new();
    for _ in 0..2 {
        let (home, store) = home();
        let program = home.path().join("program");
        std::fs::write(&program, "elf").unwrap();
        let files = vec![
            file("/hello", Content::File(program)),
            file("/etc/motd", Content::Bytes(b"hi".to_vec())),
            file("/tmp", Content::Directory),
            file("/bin", Content::Symlink("/".to_owned())),
        ];
        let image = store.add_static("slipway/hello:1", files.clone(), &how).await.unwrap();
        assert_eq!(store.add_static("slipway/hello:1", files, &how).await.unwrap(), image);
        assert_eq!((&image.entry_point, &image.exposed_ports), (&how.entry_point, &how.exposed_ports));
        assert_eq!(
            content(&store, "slipway/hello:1").await,
            "l bin -> /\nd 755 0:0 etc\nf 755 0:0 etc/motd hi\nf 755 0:0 hello elf\nd 755 0:0 tmp"
        );
        assert_eq!(store.list().await.unwrap()[0].origin, Origin::Static);
        digests.push(image.digest);
    }
    assert_eq!(digests[0], digests[1]);
}
