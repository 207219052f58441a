//! Which images a file holds, what they are called and where their parts are. Reads documents only, no layers.
//! Docker writes `manifest.json`, everybody else and newer Dockers an OCI layout; with both, the layout is the content and
//! `manifest.json` has the names as their user wrote them.

use super::source::{Source, blob_name};
use crate::digest::Digest;
use crate::document::{Descriptor, Document, Index, manifest_of, null_is_default};
use crate::error::{Error, Result};
use crate::platform::{Platform, choose};
use crate::reference::Reference;
use serde::Deserialize;
use std::collections::BTreeMap;

const DEEPEST_INDEX: usize = 4;
/// containerd's and BuildKit's full name of an image.
const FULL_NAME: &str = "io.containerd.image.name";
/// A tag, or with some tools a whole name (OCI image specification, "Pre-defined annotation keys").
const REF_NAME: &str = "org.opencontainers.image.ref.name";

#[derive(Debug)]
pub struct Planned {
    pub names: Vec<Name>,
    /// What is reported: the list's, if the name led to one.
    pub digest: Digest,
    pub manifest: Vec<u8>,
    pub configuration: Vec<u8>,
    /// Lowest first.
    pub layers: Vec<Layer>,
}

#[derive(Debug)]
pub struct Layer {
    pub path: String,
    /// Of the file, when the archive says.
    pub digest: Option<Digest>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    pub text: String,
    /// A builder may have put its own default registry before what the user wrote.
    pub completed: bool,
}

impl Name {
    fn written(text: impl Into<String>) -> Name {
        Name { text: text.into(), completed: false }
    }
}

/// One image of `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default, deserialize_with = "null_is_default")]
    repo_tags: Vec<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    layers: Vec<String>,
}

pub fn plan(source: &Source, platform: &Platform) -> Result<Vec<Planned>> {
    let saved: Vec<Saved> = match source.has("manifest.json") {
        true => serde_json::from_slice(&source.document("manifest.json")?).map_err(|error| source.broken(error))?,
        false => Vec::new(),
    };
    if source.has("index.json") {
        return plan_layout(source, platform, &saved);
    }
    if saved.is_empty() {
        return Err(source.broken("neither an OCI layout (index.json) nor an archive of docker save (manifest.json)"));
    }
    saved.iter().map(|image| plan_saved(source, image)).collect()
}

fn plan_saved(source: &Source, saved: &Saved) -> Result<Planned> {
    let configuration = source.document(&saved.config)?;
    check_name(&saved.config, &Digest::of(&configuration))?;
    let diff_ids = diff_ids(source, &configuration)?;
    let sizes = saved.layers.iter().map(|layer| source.size(layer)).collect::<Result<Vec<u64>>>()?;
    let manifest = manifest_of(&configuration, diff_ids.into_iter().zip(sizes).collect());
    let manifest = serde_json::to_vec(&manifest).map_err(|error| source.broken(error))?;
    Ok(Planned {
        names: named_or_stem(source, saved.repo_tags.iter().map(Name::written).collect()),
        digest: Digest::of(&manifest),
        manifest,
        configuration,
        layers: saved.layers.iter().map(|path| Layer { path: path.clone(), digest: None }).collect(),
    })
}

/// A configuration is named by its digest in every form of the archive.
fn check_name(path: &str, actual: &Digest) -> Result<()> {
    let name = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".json");
    match Digest::from_hex(name) {
        Ok(expected) if expected != *actual => {
            Err(Error::DigestMismatch { what: path.to_owned(), expected, actual: actual.clone() })
        }
        _ => Ok(()),
    }
}

fn diff_ids(source: &Source, configuration: &[u8]) -> Result<Vec<Digest>> {
    let parsed: crate::document::Configuration =
        serde_json::from_slice(configuration).map_err(|error| source.broken(format!("image configuration: {error}")))?;
    Ok(parsed.rootfs.diff_ids)
}

fn plan_layout(source: &Source, platform: &Platform, saved: &[Saved]) -> Result<Vec<Planned>> {
    let index = source.document("index.json")?;
    let Document::Index(index) = Document::parse("index.json", &index)? else {
        return Err(source.broken("index.json is not an index"));
    };
    let mut planned: Vec<Planned> = Vec::new();
    for (names, entries) in images(source, index) {
        let mut image = resolve(source, platform, entries)?;
        let names = saved_names(saved, &image).unwrap_or(names);
        match planned.iter_mut().find(|other| other.manifest == image.manifest) {
            // Each tag of an image has an entry of its own.
            Some(same) => same.names.extend(names),
            None => {
                image.names = names;
                planned.push(image);
            }
        }
    }
    for image in &mut planned {
        image.names = named_or_stem(source, std::mem::take(&mut image.names));
    }
    Ok(planned)
}

/// The entries by image: those of one name, and those of no name that are for different machines, are one image's.
fn images(source: &Source, index: Index) -> Vec<(Vec<Name>, Vec<Descriptor>)> {
    let mut images: Vec<(Vec<Name>, Vec<Descriptor>)> = Vec::new();
    for entry in index.manifests {
        let names = Vec::from_iter(name_of(source, &entry));
        let same = images.iter_mut().find(|(other, entries)| {
            *other == names && entry.platform.is_some() && entries.iter().all(|entry| entry.platform.is_some())
        });
        match same {
            Some((_, entries)) => entries.push(entry),
            None => images.push((names, vec![entry])),
        }
    }
    images
}

fn name_of(source: &Source, entry: &Descriptor) -> Option<Name> {
    if let Some(name) = entry.annotations.get(FULL_NAME) {
        return Some(Name { text: name.clone(), completed: true });
    }
    let name = entry.annotations.get(REF_NAME)?;
    let whole = name.contains(['/', ':']);
    Some(Name::written(if whole { name.clone() } else { format!("{}:{name}", stem(source)) }))
}

/// Follows lists to the manifest for this machine, among what the archive really has.
fn resolve(source: &Source, platform: &Platform, entries: Vec<Descriptor>) -> Result<Planned> {
    let mut entries = entries;
    let mut first = None;
    for _ in 0..DEEPEST_INDEX {
        let present = entries.iter().filter(|entry| source.has(&blob_name(&entry.digest)));
        let chosen = choose(platform, present).ok_or_else(|| Error::NoMatchingPlatform {
            platform: platform.to_string(),
            reference: source.file.display().to_string(),
        })?;
        let digest = first.get_or_insert_with(|| chosen.digest.clone()).clone();
        let bytes = source.blob(&chosen.digest)?;
        match Document::parse(&chosen.digest.to_string(), &bytes)? {
            Document::Index(index) => entries = index.manifests,
            Document::Manifest(manifest) => {
                let configuration = source.blob(&manifest.config.digest)?;
                let layers = manifest.layers.into_iter();
                let layers = layers.map(|layer| Layer { path: blob_name(&layer.digest), digest: Some(layer.digest) }).collect();
                return Ok(Planned { names: Vec::new(), digest, manifest: bytes, configuration, layers });
            }
        }
    }
    Err(source.broken("lists of lists of lists"))
}

/// The names `manifest.json` has for the image, if any.
fn saved_names(saved: &[Saved], image: &Planned) -> Option<Vec<Name>> {
    let hex = Digest::of(&image.configuration);
    let of_image = saved.iter().filter(|saved| saved.config.contains(hex.hex()));
    let names: Vec<Name> = of_image.flat_map(|saved| &saved.repo_tags).map(Name::written).collect();
    (!names.is_empty()).then_some(names)
}

/// An image nobody named could not be asked for: it gets the file's name.
fn named_or_stem(source: &Source, mut names: Vec<Name>) -> Vec<Name> {
    if names.is_empty() {
        names.push(Name::written(stem(source)));
    }
    let unique: BTreeMap<String, Name> = names.into_iter().map(|name| (name.text.clone(), name)).collect();
    unique.into_values().collect()
}

/// `my-app` of `/tmp/My-App.tar.gz`.
fn stem(source: &Source) -> String {
    let name = source.file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let endings = [".gz", ".zst", ".tgz", ".tar", ".oci"];
    let mut stem = name.as_str();
    while let Some(shorter) = endings.iter().find_map(|ending| stem.strip_suffix(ending)) {
        stem = shorter;
    }
    if Reference::parse(stem).is_ok() { stem.to_owned() } else { "loaded".to_owned() }
}
