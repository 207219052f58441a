//! What is removed and what is not.

use crate::support::archive::{built, tar};
use crate::support::{files, open};
use image::{Collected, Progress, Store};
use std::collections::BTreeSet;
use tempfile::TempDir;

async fn load(home: &TempDir, store: &Store, name: &str, layers: &[&str]) -> workload::Image {
    let file = home.path().join("x.tar");
    std::fs::write(&file, tar(&built(layers).docker_save(&[name]))).unwrap();
    store.load(&file).await.unwrap();
    store.ensure(name, None, Progress::none()).await.unwrap()
}

#[tokio::test]
async fn only_what_no_name_and_no_container_refers_to_is_removed() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    let nothing = BTreeSet::new();
    let kept = load(&home, &store, "kept:v1", &["f 644 0:0 base x", "f 644 0:0 kept x"]).await;
    let old = load(&home, &store, "moved:v1", &["f 644 0:0 base x", "f 644 0:0 old x"]).await;
    load(&home, &store, "moved:v1", &["f 644 0:0 base x", "f 644 0:0 new x"]).await;
    assert_eq!(
        store.gc(&BTreeSet::from([old.digest.clone()])).await.unwrap(),
        Collected::default(),
        "containers still run from it"
    );
    assert!(old.layers.iter().all(|layer| layer.exists()));
    assert_eq!(store.gc(&nothing).await.unwrap(), Collected { layers: 1, blobs: 2, partials: 0 });
    assert!(old.layers[0].exists() && !old.layers[1].exists());
    assert!(store.remove("moved:v1").await.unwrap());
    assert!(!store.remove("moved:v1").await.unwrap());
    assert_eq!(store.gc(&nothing).await.unwrap(), Collected { layers: 1, blobs: 2, partials: 0 });
    assert_eq!(store.ensure("kept:v1", None, Progress::none()).await.unwrap(), kept);
    store.remove("kept:v1").await.unwrap();
    assert_eq!(store.gc(&nothing).await.unwrap(), Collected { layers: 2, blobs: 2, partials: 0 });
    for directory in ["layers", "l", "blobs/sha256", "names", "partial"] {
        assert_eq!(files(&home.path().join("images").join(directory)), [""; 0], "{directory}");
    }
}

#[tokio::test]
async fn a_collected_image_can_be_loaded_again() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path());
    for _ in 0..2 {
        let image = load(&home, &store, "app:v1", &["f 644 0:0 a x"]).await;
        assert!(image.layers[0].join("a").exists());
        store.remove("app:v1").await.unwrap();
        store.gc(&BTreeSet::new()).await.unwrap();
        assert!(store.ensure("app:v1", None, Progress::none()).await.is_err());
    }
}
