//! The layers under the kernel's own overlayfs: marks mean what they should, and even the most layers fit one mount.

use crate::support::archive::{built, tar};
use crate::support::{open, tree};
use expect_test::expect;
use image::Progress;
use nix::mount::{MsFlags, mount, umount};
use std::path::{Path, PathBuf};

struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        umount(&self.0).unwrap();
    }
}

fn overlay(home: &Path, layers: &[PathBuf]) -> Mounted {
    let merged = home.join("merged");
    std::fs::create_dir(&merged).unwrap();
    let lower: Vec<String> = layers.iter().rev().map(|layer| layer.display().to_string()).collect();
    let options = format!("lowerdir={}", lower.join(":"));
    let mounted = mount(Some("overlay"), &merged, Some("overlay"), MsFlags::MS_RDONLY, Some(options.as_str()));
    mounted.expect("these tests mount overlayfs: they need the right to");
    Mounted(merged)
}

async fn load(home: &Path, layers: &[&str]) -> Vec<PathBuf> {
    let file = home.join("x.tar");
    std::fs::write(&file, tar(&built(layers).docker_save(&["app:v1"]))).unwrap();
    let store = open(home);
    store.load(&file).await.unwrap();
    store.ensure("app:v1", None, Progress::none()).await.unwrap().layers
}

#[tokio::test]
async fn the_merged_tree_is_what_the_image_means() {
    let home = tempfile::tempdir().unwrap();
    let layers = load(
        home.path(),
        &[
            "d 1777 0:0 tmp\nd 755 0:0 a\nf 644 0:0 a/hidden 1\nf 644 0:0 a/kept 1\nd 755 0:0 b\nf 644 0:0 b/hidden 1\nf 644 0:0 c 1",
            "f 0 0:0 a/.wh.hidden\nf 0 0:0 b/.wh..wh..opq\nf 644 0:0 b/new 2\nf 644 0:0 tmp/new 2\nf 0 0:0 .wh.c\nd 700 3:3 c",
        ],
    )
    .await;
    let merged = overlay(home.path(), &layers);
    expect![[r#"
        d 755 0:0 a
        f 644 0:0 a/kept 1
        d 755 0:0 b
        f 644 0:0 b/new 2
        d 700 3:3 c
        d 1777 0:0 tmp
        f 644 0:0 tmp/new 2"#]]
    .assert_eq(&tree::list(&merged.0));
}

#[tokio::test]
async fn as_many_layers_as_docker_allows_fit_one_mount() {
    const MOST: usize = 127;
    let home = tempfile::tempdir().unwrap();
    let layers: Vec<String> = (0..MOST).map(|number| format!("f 644 0:0 {number:03} x")).collect();
    let layers = load(home.path(), &layers.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let merged = overlay(home.path(), &layers);
    assert_eq!(tree::list(&merged.0).lines().count(), MOST);
}
