//! What the tests build images with.

pub mod archive;
pub mod registry;
pub mod tree;

use image::{Config, Platform, Store};
use std::path::Path;

pub fn need_root() {
    assert!(nix::unistd::geteuid().is_root(), "these tests make owners and devices: run them as root");
}

pub fn config() -> Config {
    let platform = Platform { os: "linux".into(), architecture: "amd64".into(), variant: None };
    Config { platform, retry_pause_ms: 1, ..Config::default() }
}

pub fn open(root: &Path) -> Store {
    need_root();
    Store::open(root.join("images"), config()).unwrap()
}

pub fn files(path: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
