//! The store as the rest of the node sees it: an image for a name.

use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::install::{Shelf, blocking};
use crate::names::{Origin, Record};
use crate::platform::Platform;
use crate::policy::{self, Policy};
use crate::progress::Progress;
use crate::pull::{Clients, Flights};
use crate::reference::Reference;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use workload::RegistryAuth;

#[derive(Clone, Debug)]
pub struct Config {
    /// Where names without a registry come from. `None`: such names must be loaded.
    pub default_registry: Option<String>,
    /// Tried in order before the registry itself.
    pub mirrors: BTreeMap<String, Vec<String>>,
    /// Spoken to in plain HTTP. Registries on this machine's loopback always are.
    pub insecure_registries: BTreeSet<String>,
    /// PEM files of authorities to trust beside the system's.
    pub certificate_authorities: Vec<PathBuf>,
    pub platform: Platform,
    /// How often a pull is tried in all; passing faults only.
    pub pull_attempts: u32,
    /// The first pause between attempts; each next one is twice as long.
    pub retry_pause_ms: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            default_registry: None,
            mirrors: BTreeMap::new(),
            insecure_registries: BTreeSet::new(),
            certificate_authorities: Vec::new(),
            platform: Platform::host(),
            pull_attempts: 5,
            retry_pause_ms: 500,
        }
    }
}

#[derive(Clone)]
pub struct Store {
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) config: Arc<Config>,
    pub(crate) clients: Arc<Clients>,
    pub(crate) flights: Arc<Flights>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// As people write it.
    pub name: String,
    pub digest: Digest,
    pub origin: Origin,
    /// Of the layers as they were shipped.
    pub bytes: u64,
}

impl Store {
    /// Several stores, also of several processes, may have one root open.
    pub fn open(root: PathBuf, config: Config) -> Result<Store> {
        let shelf = Arc::new(Shelf::open(root)?);
        Ok(Store { shelf, config: Arc::new(config), clients: Arc::default(), flights: Arc::default() })
    }

    /// The image for a name, pulled if the policy of ECS's agent says so (`ECS_IMAGE_PULL_BEHAVIOR=default`): tags are
    /// asked for at the registry and used as they are here when that fails; digests, and what was loaded by hand, never.
    pub async fn ensure(&self, reference: &str, auth: Option<RegistryAuth>, progress: Progress) -> Result<workload::Image> {
        let reference = self.parse(reference)?;
        let here = self.here(&reference)?;
        let origin = here.as_ref().map(|(record, _)| record.origin);
        let has_registry = reference.registry.is_some() || self.config.default_registry.is_some();
        match (policy::decide(origin, reference.digest.is_some(), has_registry), here) {
            (Policy::Use, Some((_, image))) => Ok(image),
            (Policy::Pull, None) => self.pull(&reference, auth, None, progress).await,
            (Policy::PullOrUse, Some((record, image))) => {
                let pulled = self.pull(&reference, auth, Some(record), progress).await;
                Ok(pulled.unwrap_or_else(|error| {
                    tracing::warn!(%reference, %error, "cannot pull; the image that is here is used");
                    image
                }))
            }
            _ => Err(Error::NoRegistry(reference.to_string())),
        }
    }

    /// Every name, in order.
    pub async fn list(&self) -> Result<Vec<Listed>> {
        let shelf = self.shelf.clone();
        let listing = move || {
            let named = shelf.names.list(&shelf.disk)?.into_iter().filter(|record| !record.is_unnamed());
            named.map(|record| listed(&shelf, record)).collect()
        };
        blocking(listing).await
    }

    /// Removes a name; what only it referred to is removed by the next collection. Whether there was such a name.
    pub async fn remove(&self, reference: &str) -> Result<bool> {
        let key = self.parse(reference)?.key();
        let shelf = self.shelf.clone();
        blocking(move || shelf.names.remove(&shelf.disk, &key)).await
    }

    pub(crate) fn parse(&self, reference: &str) -> Result<Reference> {
        Ok(Reference::parse(reference)?.without_registry(self.config.default_registry.as_deref()))
    }

    /// The image as it is here. Costs a `stat`.
    fn here(&self, reference: &Reference) -> Result<Option<(Arc<Record>, workload::Image)>> {
        let Some(record) = self.record(reference)? else {
            return Ok(None);
        };
        let image = self.shelf.image(&record.digest, &record.manifest)?;
        Ok(image.map(|image| (record, image)))
    }

    /// A digest is also known by a tag of its repository that leads to it, and by itself: a service's tasks keep to what
    /// their tag once stood for, when it was loaded by hand and stands for something else by now.
    fn record(&self, reference: &Reference) -> Result<Option<Arc<Record>>> {
        let (names, disk) = (&self.shelf.names, &self.shelf.disk);
        match (names.get(disk, &reference.key())?, &reference.digest) {
            (None, Some(digest)) => match names.by_digest(disk, &reference.name(), digest)? {
                None => names.get(disk, &digest.to_string()),
                record => Ok(record),
            },
            (record, _) => Ok(record),
        }
    }
}

fn listed(shelf: &Shelf, record: Record) -> Result<Listed> {
    let bytes =
        shelf.documents(&record.manifest)?.map_or(0, |(manifest, _)| manifest.layers.iter().map(|layer| layer.size).sum());
    let name = Reference::parse(&record.name).map_or_else(|_| record.name.clone(), |reference| reference.to_string());
    Ok(Listed { name, digest: record.digest, origin: record.origin, bytes })
}
