//! Image archives in every form they come in.

use image::Digest;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// An image to be: layers are plain archives, lowest first.
#[derive(Clone, Default)]
pub struct Built {
    pub layers: Vec<Vec<u8>>,
    pub config: Value,
    pub architecture: &'static str,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Packing {
    Plain,
    Gzip,
    Zstd,
}

pub fn built(layers: &[&str]) -> Built {
    let layers = layers.iter().map(|layer| super::tree::pack(layer)).collect();
    Built { layers, config: json!({"Cmd": ["/hello"]}), architecture: "amd64" }
}

pub type Files = BTreeMap<String, Vec<u8>>;

impl Built {
    pub fn configuration(&self) -> Vec<u8> {
        let diff_ids: Vec<String> = self.layers.iter().map(|layer| Digest::of(layer).to_string()).collect();
        let rootfs = json!({"type": "layers", "diff_ids": diff_ids});
        let document = json!({"architecture": self.architecture, "os": "linux", "config": self.config, "rootfs": rootfs});
        serde_json::to_vec(&document).unwrap()
    }

    /// What `docker save` wrote until version 24.
    pub fn docker_save(&self, tags: &[&str]) -> Files {
        let configuration = self.configuration();
        let config = format!("{}.json", Digest::of(&configuration).hex());
        let mut files = Files::from([(config.clone(), configuration)]);
        let mut paths = Vec::new();
        for (number, layer) in self.layers.iter().enumerate() {
            paths.push(format!("{number}/layer.tar"));
            files.insert(paths[number].clone(), layer.clone());
        }
        let manifest = json!([{"Config": config, "RepoTags": tags, "Layers": paths}]);
        files.insert("manifest.json".to_owned(), serde_json::to_vec(&manifest).unwrap());
        files
    }

    /// Blobs of the image, and its manifest's descriptor.
    pub fn blobs(&self, packing: Packing) -> (Files, Value) {
        let mut files = Files::new();
        let config = put(&mut files, "application/vnd.oci.image.config.v1+json", self.configuration());
        let suffix = match packing {
            Packing::Plain => "",
            Packing::Gzip => "+gzip",
            Packing::Zstd => "+zstd",
        };
        let media_type = format!("application/vnd.oci.image.layer.v1.tar{suffix}");
        let layers: Vec<Value> = self.layers.iter().map(|layer| put(&mut files, &media_type, packed(layer, packing))).collect();
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers});
        let mut descriptor = put(&mut files, media_type, serde_json::to_vec(&manifest).unwrap());
        descriptor["platform"] = json!({"os": "linux", "architecture": self.architecture});
        (files, descriptor)
    }
}

/// Adds a blob and describes it.
pub fn put(files: &mut Files, media_type: &str, bytes: Vec<u8>) -> Value {
    let digest = Digest::of(&bytes);
    let descriptor = json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()});
    files.insert(format!("blobs/sha256/{}", digest.hex()), bytes);
    descriptor
}

pub fn index(manifests: &[Value]) -> Vec<u8> {
    let media_type = "application/vnd.oci.image.index.v1+json";
    serde_json::to_vec(&json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests})).unwrap()
}

pub fn named(mut descriptor: Value, annotations: Value) -> Value {
    descriptor["annotations"] = annotations;
    descriptor
}

pub fn layout(mut files: Files, manifests: &[Value]) -> Files {
    files.insert("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec());
    files.insert("index.json".to_owned(), index(manifests));
    files
}

pub fn tar(files: &Files) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

pub fn directory(path: &Path, files: &Files) {
    for (name, bytes) in files {
        super::tree::write(&path.join(name), bytes);
    }
}

pub fn packed(bytes: &[u8], packing: Packing) -> Vec<u8> {
    match packing {
        Packing::Plain => bytes.to_vec(),
        Packing::Zstd => zstd::encode_all(bytes, 1).unwrap(),
        Packing::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
    }
}
