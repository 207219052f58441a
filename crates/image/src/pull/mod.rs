//! Pulls an image: what the name stands for, then its layers, three at a time from the network and one upon the other onto
//! the disk. Many who want one image at once share one pull; many images with one layer share the layer.

mod challenge;
mod client;
mod download;
mod fault;
mod flight;
mod registry;
mod resolve;
mod roots;

pub use client::http_client;

pub(crate) use client::Clients;
pub(crate) use flight::Flights;

use crate::digest::Digest;
use crate::document::Descriptor;
use crate::error::{Error, Result};
use crate::install::{Complete, blocking};
use crate::layer::Held;
use crate::layer::unpack::Expected;
use crate::names::{Origin, Record};
use crate::progress::{Event, Progress};
use crate::reference::Reference;
use crate::store::Store;
use download::Download;
use fault::Attempts;
use futures_util::future::{try_join, try_join_all};
use registry::Registry;
use resolve::{Remote, Resolved};
use std::sync::Arc;
use tokio::sync::{OwnedMutexGuard, Semaphore, oneshot};
use workload::RegistryAuth;

/// As many as Docker fetches at once (`max-concurrent-downloads`).
const LAYERS_AT_ONCE: usize = 3;

/// One pull of one image, whoever waits for it.
struct Pull {
    store: Store,
    reference: Reference,
    /// What the name stands for here already.
    known: Option<Arc<Record>>,
    attempts: Attempts,
    progress: Progress,
}

/// What is wanted of one layer.
struct Layer {
    chain_id: Digest,
    diff_id: Digest,
    blob: Descriptor,
    number: usize,
    of: usize,
}

/// A layer that is there, or is here to be unpacked.
enum Fetched {
    There(Held),
    Here { turn: OwnedMutexGuard<()>, download: Download },
}

impl Store {
    /// Pulls `reference`, or waits for the pull of it that is under way. With an image to fall back to there is one attempt.
    pub(crate) async fn pull(
        &self,
        reference: &Reference,
        auth: Option<RegistryAuth>,
        known: Option<Arc<Record>>,
        progress: Progress,
    ) -> Result<workload::Image> {
        let key = (reference.key(), client::identity(auth.as_ref()));
        let (store, reference) = (self.clone(), reference.clone());
        self.flights
            .join(key, progress, move |progress| async move {
                let attempts = Attempts::new(&store.config, known.is_some());
                Pull { store, reference, known, attempts, progress }.run(auth.as_ref()).await
            })
            .await
    }
}

impl Pull {
    async fn run(&self, auth: Option<&RegistryAuth>) -> Result<workload::Image> {
        self.progress.tell(&Event::Resolving);
        let (registry, resolved) = self.resolve(auth).await?;
        let resolved = match resolved {
            Resolved::Known(record) => return self.unchanged(&record),
            Resolved::Image(image) => image,
        };
        let layers = layers_of(&resolved);
        let held = match self.fetch_all(&registry, &layers).await {
            Err(full @ Error::NoSpace(_)) => {
                self.discard(layers).await;
                return Err(full);
            }
            other => other?,
        };
        let (manifest, configuration) = (resolved.manifest_bytes, resolved.configuration_bytes);
        let image = Complete { digest: resolved.digest, manifest, configuration, layers: held, origin: Origin::Pulled };
        let (shelf, key) = (self.store.shelf.clone(), self.reference.key());
        blocking(move || shelf.finish(image, &[key])).await
    }

    fn unchanged(&self, record: &Record) -> Result<workload::Image> {
        let image = self.store.shelf.image(&record.digest, &record.manifest)?;
        image.ok_or_else(|| Error::Io { context: self.reference.to_string(), reason: "the local image has gone".to_owned() })
    }

    /// Downloads run ahead; each layer is unpacked when those below it are.
    async fn fetch_all(&self, registry: &Registry, layers: &[Layer]) -> Result<Vec<Held>> {
        let (senders, receivers): (Vec<_>, Vec<_>) = layers.iter().map(|_| oneshot::channel()).unzip();
        let room = Semaphore::new(LAYERS_AT_ONCE);
        let downloads = layers.iter().zip(senders).map(|(layer, sender)| self.fetch(registry, layer, &room, sender));
        let (_, held) = try_join(try_join_all(downloads), self.unpack_all(layers, receivers)).await?;
        Ok(held)
    }

    async fn fetch(&self, registry: &Registry, layer: &Layer, room: &Semaphore, to: oneshot::Sender<Fetched>) -> Result<()> {
        let _room = room.acquire().await;
        let fetched = self.have(registry, layer).await?;
        // Nobody listens only when unpacking has failed, which ends this too.
        let _ = to.send(fetched);
        Ok(())
    }

    async fn have(&self, registry: &Registry, layer: &Layer) -> Result<Fetched> {
        let shelf = &self.store.shelf;
        let turn = shelf.turn(&layer.chain_id).await;
        if let Some(held) = shelf.held(&layer.chain_id).await? {
            self.progress.tell(&Event::Present { layer: layer.number, layers: layer.of });
            return Ok(Fetched::There(held));
        }
        let download = download::download(shelf, registry, layer, &self.attempts, &self.progress).await?;
        Ok(Fetched::Here { turn, download })
    }

    async fn unpack_all(&self, layers: &[Layer], fetched: Vec<oneshot::Receiver<Fetched>>) -> Result<Vec<Held>> {
        let mut held: Vec<Held> = Vec::with_capacity(layers.len());
        for (layer, fetched) in layers.iter().zip(fetched) {
            let fetched = fetched.await.map_err(|_| Error::Cancelled(self.reference.to_string()))?;
            held.push(match fetched {
                Fetched::There(layer) => layer,
                Fetched::Here { turn, download } => self.unpack(turn, layer, &held, download).await?,
            });
        }
        Ok(held)
    }

    async fn unpack(&self, turn: OwnedMutexGuard<()>, layer: &Layer, below: &[Held], download: Download) -> Result<Held> {
        self.progress.tell(&Event::Unpacking { layer: layer.number, layers: layer.of });
        let expected = Expected { blob: None, diff_id: layer.diff_id.clone() };
        let unpacked = self.store.shelf.unpack(turn, &layer.chain_id, expected, below, download).await?;
        self.progress.tell(&Event::Present { layer: layer.number, layers: layer.of });
        Ok(unpacked)
    }

    /// On a full disk an unfinished download helps nobody.
    async fn discard(&self, layers: Vec<Layer>) {
        let shelf = self.store.shelf.clone();
        let discard = move || {
            for layer in &layers {
                download::discard(&shelf, &layer.blob.digest);
            }
            Ok(())
        };
        if let Err(error) = blocking(discard).await {
            tracing::warn!(%error, "cannot discard unfinished downloads");
        }
    }
}

fn layers_of(remote: &Remote) -> Vec<Layer> {
    let of = remote.manifest.layers.len();
    let ids = remote.configuration.chain_ids().into_iter().zip(remote.configuration.rootfs.diff_ids.iter().cloned());
    let layers = ids.zip(&remote.manifest.layers).enumerate();
    layers.map(|(number, ((chain_id, diff_id), blob))| Layer { chain_id, diff_id, blob: blob.clone(), number, of }).collect()
}
