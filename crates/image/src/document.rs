//! The documents of an image: manifest, manifest list and configuration, as far as a node reads them. Pure.
//! Parsed leniently where builders differ (nulls, missing media types), strictly where content is named (digests).

use crate::digest::{Digest, Hasher};
use crate::error::{Error, Result};
use crate::platform::Platform;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// What may stand as a manifest's configuration; the last is what registries before 2016 wrote.
const CONFIGS: [&str; 3] = [OCI_CONFIG, "application/vnd.docker.container.image.v1+json", "application/octet-stream"];
const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1";

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    #[serde(default)]
    pub media_type: String,
    pub digest: Digest,
    pub size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_default")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Descriptor {
        Descriptor { media_type: media_type.to_owned(), digest, size, platform: None, annotations: BTreeMap::new() }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub schema_version: u32,
    pub media_type: String,
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Index {
    #[serde(default, deserialize_with = "null_is_default")]
    pub manifests: Vec<Descriptor>,
}

/// What a tag or a digest may lead to.
#[derive(Clone, Debug)]
pub enum Document {
    Manifest(Manifest),
    Index(Index),
}

/// Every member any of the documents may have; which are there tells which it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Loose {
    #[serde(default)]
    schema_version: u32,
    #[serde(default)]
    media_type: String,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

impl Document {
    /// `reference` is for the error only.
    pub fn parse(reference: &str, bytes: &[u8]) -> Result<Document> {
        let unsupported = |reason: String| Error::UnsupportedManifest { reference: reference.to_owned(), reason };
        let loose: Loose = serde_json::from_slice(bytes).map_err(|error| unsupported(error.to_string()))?;
        if loose.schema_version == 1 || loose.media_type.starts_with(SCHEMA_1) {
            return Err(unsupported("schema version 1 is no longer supported; push the image again".to_owned()));
        }
        match loose {
            Loose { manifests: Some(manifests), layers: None, .. } => Ok(Document::Index(Index { manifests })),
            Loose { config: Some(config), layers: Some(layers), manifests: None, media_type, .. } => {
                let known = config.media_type.is_empty() || CONFIGS.contains(&config.media_type.as_str());
                let manifest = Manifest { schema_version: 2, media_type, config, layers };
                if known {
                    Ok(Document::Manifest(manifest))
                } else {
                    Err(unsupported(format!("unsupported media type {}", manifest.config.media_type)))
                }
            }
            other => Err(unsupported(format!("neither a manifest nor a manifest list: {:?}", other.media_type))),
        }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Configuration {
    pub architecture: String,
    pub os: String,
    #[serde(deserialize_with = "null_is_default")]
    pub config: Execution,
    pub rootfs: RootFs,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RootFs {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(deserialize_with = "null_is_default")]
    pub diff_ids: Vec<Digest>,
}

/// How to run the image. The sets are maps to `{}` in the document.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Execution {
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub user: String,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, serde_json::Value>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, serde_json::Value>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Configuration {
    pub fn parse(reference: &str, bytes: &[u8], layers: usize) -> Result<Configuration> {
        let unsupported = |reason: String| Error::UnsupportedManifest { reference: reference.to_owned(), reason };
        let configuration: Configuration =
            serde_json::from_slice(bytes).map_err(|error| unsupported(format!("image configuration: {error}")))?;
        let known = configuration.rootfs.diff_ids.len();
        if known != layers {
            return Err(unsupported(format!("the configuration knows {known} layers, the manifest {layers}")));
        }
        match configuration.os.as_str() {
            "linux" | "" => Ok(configuration),
            os => Err(unsupported(format!("image operating system {os:?} cannot be used on this platform"))),
        }
    }

    /// Identity of each layer in its place, lowest first.
    pub fn chain_ids(&self) -> Vec<Digest> {
        let mut chain: Vec<Digest> = Vec::new();
        for diff_id in &self.rootfs.diff_ids {
            chain.push(Digest::chain(chain.last(), diff_id));
        }
        chain
    }

    /// All but the layers' places.
    pub fn image(&self, digest: &Digest) -> workload::Image {
        let execution = self.config.clone();
        workload::Image {
            digest: digest.to_string(),
            layers: Vec::new(),
            entry_point: execution.entrypoint,
            command: execution.cmd,
            environment: execution.env,
            user: execution.user,
            working_directory: execution.working_dir,
            stop_signal: execution.stop_signal.filter(|signal| !signal.is_empty()),
            volumes: execution.volumes.into_keys().collect(),
            exposed_ports: execution.exposed_ports.into_keys().collect(),
            labels: execution.labels,
        }
    }
}

/// A manifest for an image that came without one: the configuration and its layers, uncompressed.
pub fn manifest_of(configuration: &[u8], layers: Vec<(Digest, u64)>) -> Manifest {
    let mut hasher = Hasher::default();
    hasher.update(configuration);
    Manifest {
        schema_version: 2,
        media_type: OCI_MANIFEST.to_owned(),
        config: Descriptor::new(OCI_CONFIG, hasher.digest(), hasher.length),
        layers: layers.into_iter().map(|(digest, size)| Descriptor::new(OCI_LAYER, digest, size)).collect(),
    }
}

pub(crate) fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> std::result::Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    const D: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn check(text: &str, expect: Expect) {
        let seen = match Document::parse("app:v1", text.replace("$D", D).as_bytes()) {
            Ok(Document::Manifest(manifest)) => format!("manifest of {} layers", manifest.layers.len()),
            Ok(Document::Index(index)) => format!("list of {}", index.manifests.len()),
            Err(error) => error.to_string(),
        };
        expect.assert_eq(&seen);
    }

    #[test]
    fn a_document_is_known_by_its_members() {
        let config = r#"{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"$D","size":1}"#;
        let manifest =
            format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{{"digest":"$D","size":1,"annotations":null}}]}}"#);
        check(&manifest, expect!["manifest of 1 layers"]);
        check(r#"{"schemaVersion":2,"manifests":[{"digest":"$D","size":1}]}"#, expect!["list of 1"]);
        check(
            &manifest.replace("oci.image.config", "cncf.helm.config"),
            expect!["app:v1: unsupported manifest: unsupported media type application/vnd.cncf.helm.config.v1+json"],
        );
        check(
            r#"{"schemaVersion":1,"name":"app","fsLayers":[]}"#,
            expect!["app:v1: unsupported manifest: schema version 1 is no longer supported; push the image again"],
        );
        check(r#"{"schemaVersion":2}"#, expect![[r#"app:v1: unsupported manifest: neither a manifest nor a manifest list: """#]]);
        check(
            r#"{"manifests":[{"digest":"sha256:../../etc","size":1}]}"#,
            expect![[r#"app:v1: unsupported manifest: invalid digest "sha256:../../etc" at line 1 column 42"#]],
        );
        check("<html>", expect!["app:v1: unsupported manifest: expected value at line 1 column 1"]);
    }

    #[test]
    fn nulls_of_old_builders_are_empty() {
        let text = r#"{"os":"linux","config":{"Env":null,"Cmd":["a"],"Volumes":null,"ExposedPorts":{"80/tcp":{}},"Labels":null},"rootfs":{"diff_ids":null}}"#;
        let image = Configuration::parse("x", text.as_bytes(), 0).unwrap().image(&Digest::of(b""));
        assert_eq!((image.command, image.exposed_ports, image.environment), (vec!["a".into()], vec!["80/tcp".into()], vec![]));
        assert!(Configuration::parse("x", br#"{"os":"linux","config":null,"rootfs":{"diff_ids":[]}}"#, 1).is_err());
        assert!(Configuration::parse("x", br#"{"os":"windows"}"#, 0).is_err());
    }
}
