//! Takes images out of files: archives of `docker save`, OCI layouts as directories or archives, compressed or not.
//! A name is acknowledged only when its image is whole and on disk.

mod plan;
mod source;

use crate::digest::Digest;
use crate::document::Configuration;
use crate::error::Result;
use crate::install::{Complete, blocking};
use crate::layer::unpack::Expected;
use crate::names::Origin;
use crate::reference::Reference;
use crate::store::Store;
use plan::{Name, Planned};
use source::{Part, Source};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// What the image can be asked for by.
    pub names: Vec<String>,
    pub digest: Digest,
}

impl Store {
    /// All images of a file; those before a broken one stay.
    pub async fn load(&self, file: &Path) -> Result<Vec<Loaded>> {
        let (shelf, platform, file) = (self.shelf.clone(), self.config.platform.clone(), file.to_owned());
        let (source, planned) = blocking(move || {
            let source = Source::open(&file, &shelf.disk)?;
            let planned = plan::plan(&source, &platform)?;
            Ok((Arc::new(source), planned))
        })
        .await?;
        let mut loaded = Vec::new();
        for image in planned {
            loaded.push(self.load_one(&source, image).await?);
        }
        Ok(loaded)
    }

    async fn load_one(&self, source: &Arc<Source>, planned: Planned) -> Result<Loaded> {
        let label = planned.digest.to_string();
        let configuration = Configuration::parse(&label, &planned.configuration, planned.layers.len())?;
        let mut layers = Vec::new();
        let places = configuration.chain_ids().into_iter().zip(configuration.rootfs.diff_ids);
        for ((chain_id, diff_id), layer) in places.zip(&planned.layers) {
            let turn = self.shelf.turn(&chain_id).await;
            let held = match self.shelf.held(&chain_id).await? {
                Some(held) => held,
                None => {
                    let part = Part { source: source.clone(), name: layer.path.clone() };
                    let expected = Expected { blob: layer.digest.clone(), diff_id };
                    self.shelf.unpack(turn, &chain_id, expected, &layers, part).await?
                }
            };
            layers.push(held);
        }
        let Planned { digest, manifest, configuration, .. } = planned;
        let image = Complete { digest, manifest, configuration, layers, origin: Origin::Loaded };
        self.name(image, &planned.names).await
    }

    async fn name(&self, image: Complete, names: &[Name]) -> Result<Loaded> {
        let references = self.references(names)?;
        let keys: Vec<String> = references.iter().map(Reference::key).collect();
        let loaded = Loaded { names: references.iter().map(Reference::to_string).collect(), digest: image.digest.clone() };
        let shelf = self.shelf.clone();
        blocking(move || shelf.finish(image, &keys)).await?;
        Ok(loaded)
    }

    fn references(&self, names: &[Name]) -> Result<BTreeSet<Reference>> {
        let mut references = BTreeSet::new();
        for name in names {
            let reference = self.parse(&name.text)?;
            // Builders write their own default registry into a name that its user never gave one; without a default of
            // ours to compare with, the image answers to both.
            if name.completed && self.config.default_registry.is_none() {
                references.insert(Reference { registry: None, ..reference.clone() });
            }
            references.insert(reference);
        }
        Ok(references)
    }
}
