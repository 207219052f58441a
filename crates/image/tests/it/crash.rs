//! Processes that die, disks that fill up, and collections in between: what was acknowledged is there and whole.

use crate::support::archive::Packing;
use crate::support::archive::{built, tar};
use crate::support::registry::{Access, Registry};
use crate::support::{config, files, open, tree};
use image::{Error, Progress, Store};
use nix::mount::{MsFlags, mount, umount};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tokio::sync::oneshot::error::TryRecvError;

const CHILD_HOME: &str = "IMAGE_TEST_CHILD_HOME";

fn layers(number: usize) -> [String; 2] {
    ["f 644 0:0 base x".to_owned(), (0..200).map(|file| format!("f 644 0:0 {number}/{file} x\n")).collect()]
}

async fn load(home: &Path, store: &Store, number: usize) -> Result<(), Error> {
    let file = home.join(format!("{number}.tar"));
    let layers = layers(number);
    std::fs::write(&file, tar(&built(&[&layers[0], &layers[1]]).docker_save(&[&format!("app:v{number}")]))).unwrap();
    store.load(&file).await.map(drop)
}

async fn whole(store: &Store, number: usize) {
    let image = store.ensure(&format!("app:v{number}"), None, Progress::none()).await.unwrap();
    assert_eq!(tree::list(&image.layers[1]).lines().count(), 201, "app:v{number}");
}

/// Not a test of its own: loads images until it is killed, telling each that is acknowledged.
#[tokio::test]
#[ignore = "run by `what_was_acknowledged_survives_kill_9` as a process to kill"]
async fn child() {
    let home = PathBuf::from(std::env::var_os(CHILD_HOME).expect("run by its parent"));
    let store = open(&home);
    for number in 0.. {
        // A name that moves each time: the interesting file to be replaced at.
        load(&home, &store, number % 7).await.unwrap();
        println!("acknowledged {}", number % 7);
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let home = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 0..8 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "crash::child", "--nocapture"])
            .env(CHILD_HOME, home.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let numbers = lines.filter_map(|line| line.unwrap().split("acknowledged ").nth(1).map(|number| number.parse().unwrap()));
        acknowledged.extend::<Vec<usize>>(numbers.take(round + 1).collect());
        child.kill().unwrap();
        child.wait().unwrap();
        let store = open(home.path());
        for number in &acknowledged {
            whole(&store, *number).await;
        }
        let others: Vec<String> = files(&home.path().join("images/tmp"));
        assert_eq!(others.len(), 1, "only this process's own");
        // What it was at when it died does not stand in the way.
        load(home.path(), &store, 3).await.unwrap();
        acknowledged.insert(3);
        store.gc(&BTreeSet::new()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn collections_take_nothing_from_loads() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    // The way another process would collect.
    let other = open(home.path());
    let (done, mut ended) = tokio::sync::oneshot::channel::<()>();
    let collecting = tokio::spawn(async move {
        let mut collected = 0;
        while ended.try_recv() == Err(TryRecvError::Empty) {
            let once = other.gc(&BTreeSet::new()).await.unwrap();
            collected += once.layers;
        }
        collected
    });
    for number in 0..6 {
        load(home.path(), &store, number).await.unwrap();
        whole(&store, number).await;
        // The first one stays, and with it the layer they share.
        if number % 3 == 1 {
            store.remove(&format!("app:v{number}")).await.unwrap();
        }
    }
    drop(done);
    let collected = collecting.await.unwrap() + store.gc(&BTreeSet::new()).await.unwrap().layers;
    assert_eq!(collected, 2);
    for number in (0..6).filter(|number| number % 3 != 1) {
        whole(&store, number).await;
    }
}

struct Small(PathBuf);

impl Small {
    fn disk(home: &Path) -> Small {
        let path = home.join("small");
        std::fs::create_dir(&path).unwrap();
        let mounted = mount(Some("tmpfs"), &path, Some("tmpfs"), MsFlags::empty(), Some("size=1m"));
        mounted.expect("this test mounts a small disk: it needs the right to");
        Small(path)
    }

    fn used(&self) -> u64 {
        let stat = nix::sys::statvfs::statvfs(&self.0).unwrap();
        (stat.blocks() - stat.blocks_free()) * stat.fragment_size()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        umount(&self.0).unwrap();
    }
}

#[tokio::test]
async fn a_full_disk_is_said_and_emptied_again() {
    let home = tempfile::tempdir().unwrap();
    let small = Small::disk(home.path());
    let store = Store::open(small.0.join("images"), config()).unwrap();
    let before = small.used();
    let large = format!("f 644 0:0 large {}", "x".repeat(3_000_000));
    let image = built(&["f 644 0:0 base x", &large]);
    let file = home.path().join("large.tar");
    std::fs::write(&file, tar(&image.docker_save(&["app:v1"]))).unwrap();
    let error = store.load(&file).await.unwrap_err();
    assert_eq!(error.to_string(), "write /large: no space left on device");
    let registry = Registry::start(Access::Open).await;
    registry.push("app", "v1", &image, Packing::Plain);
    let error = store.ensure(&registry.name("app:v1"), None, Progress::none()).await.unwrap_err().to_string();
    assert!(error.starts_with("write ") && error.ends_with(": no space left on device"), "{error}");
    registry.push("app", "v2", &image, Packing::Gzip);
    let error = store.ensure(&registry.name("app:v2"), None, Progress::none()).await.unwrap_err();
    assert_eq!(error.to_string(), "write /large: no space left on device");
    store.gc(&BTreeSet::new()).await.unwrap();
    assert!(small.used() < before + 64 * 1024, "{} {before}", small.used());
    std::fs::write(&file, tar(&built(&["f 644 0:0 small x"]).docker_save(&["app:v3"]))).unwrap();
    store.load(&file).await.unwrap();
    drop(store);
}
