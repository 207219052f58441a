//! What loading, making and pulling have in common: layers are unpacked one upon the other and held, documents are written,
//! and only then does a name say that the image is there.

use crate::digest::Digest;
use crate::disk::{self, Disk};
use crate::document::{Configuration, Document, Manifest};
use crate::error::{Context, Error, Result};
use crate::layer::unpack::{Cancel, CancelOnDrop, Expected, unpack};
use crate::layer::{Held, Layers};
use crate::names::{Names, Origin, Record};
use nix::fcntl::{Flock, FlockArg};
use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::OwnedMutexGuard;

/// The store's parts on disk and what is remembered of them.
pub struct Shelf {
    pub disk: Disk,
    pub names: Names,
    pub layers: Layers,
    images: Mutex<BTreeMap<Digest, Arc<workload::Image>>>,
    unpacking: Mutex<BTreeMap<Digest, Weak<tokio::sync::Mutex<()>>>>,
}

/// An image whose layers are all there and held.
pub struct Complete {
    pub digest: Digest,
    pub manifest: Vec<u8>,
    pub configuration: Vec<u8>,
    pub layers: Vec<Held>,
    pub origin: Origin,
}

/// Where a layer's bytes come from.
pub trait Shipped: Send + 'static {
    fn open(&self) -> Result<Box<dyn Read + Send>>;

    /// The layer is there, or cannot be made of these bytes: they are of no more use.
    fn used(&mut self) {}
}

impl Shelf {
    pub fn open(root: PathBuf) -> Result<Shelf> {
        Ok(Shelf {
            disk: Disk::open(root)?,
            names: Names::default(),
            layers: Layers::default(),
            images: Mutex::default(),
            unpacking: Mutex::default(),
        })
    }

    /// Whoever has it is the one to make the layer; the others wait and find it made.
    pub async fn turn(&self, chain_id: &Digest) -> OwnedMutexGuard<()> {
        let lock = {
            let mut unpacking = self.unpacking.lock().unwrap_or_else(PoisonError::into_inner);
            unpacking.retain(|_, lock| lock.strong_count() > 0);
            let known = unpacking.get(chain_id).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let lock = Arc::default();
                unpacking.insert(chain_id.clone(), Arc::downgrade(&lock));
                lock
            })
        };
        lock.lock_owned().await
    }

    /// The layer, if it is there. Away from the threads that serve, since a collection may be looking at it.
    pub async fn held(self: &Arc<Shelf>, chain_id: &Digest) -> Result<Option<Held>> {
        let (shelf, chain_id) = (self.clone(), chain_id.clone());
        blocking(move || shelf.layers.hold(&shelf.disk, &chain_id)).await
    }

    /// Unpacks one layer upon those below. The turn goes along, since the thread may outlive whoever waits for it.
    pub async fn unpack(
        self: &Arc<Shelf>,
        turn: OwnedMutexGuard<()>,
        chain_id: &Digest,
        expected: Expected,
        below: &[Held],
        mut from: impl Shipped,
    ) -> Result<Held> {
        let cancel = Cancel::default();
        let _cancel = CancelOnDrop(cancel.clone());
        let lower: Vec<PathBuf> = below.iter().map(|layer| layer.directory.clone()).collect();
        let (shelf, chain_id) = (self.clone(), chain_id.clone());
        blocking(move || {
            let _turn = turn;
            let unpacked = shelf.make_layer(&chain_id, &expected, &lower, &from, &cancel);
            if unpacked.is_ok() || !cancel.is_cancelled() {
                from.used();
            }
            unpacked
        })
        .await
    }

    fn make_layer(
        &self,
        chain_id: &Digest,
        expected: &Expected,
        lower: &[PathBuf],
        from: &impl Shipped,
        cancel: &Cancel,
    ) -> Result<Held> {
        let scratch = self.disk.scratch()?;
        let root = scratch.path().join("layer");
        make_root(&root).context(root.display())?;
        unpack(from.open()?, expected, lower, &root, cancel)?;
        self.layers.commit(&self.disk, &root, chain_id)
    }

    /// Writes the documents and then the names. After this the image survives any crash.
    pub fn finish(&self, image: Complete, names: &[String]) -> Result<workload::Image> {
        let _manifest = self.put_blob(&image.manifest)?;
        let _configuration = self.put_blob(&image.configuration)?;
        let manifest = Digest::of(&image.manifest);
        let _names_stay = self.disk.names_lock(FlockArg::LockShared)?;
        for name in names.iter().chain([&image.digest.to_string()]) {
            let (digest, manifest) = (image.digest.clone(), manifest.clone());
            self.names.put(&self.disk, &Record { name: name.clone(), digest, manifest, origin: image.origin })?;
        }
        let there = self.image(&image.digest, &manifest)?;
        drop(image.layers); // from here on the names keep them
        there.ok_or_else(|| Error::Io { context: image.digest.to_string(), reason: "went away while it was stored".to_owned() })
    }

    /// The image of a manifest, reported under `digest`. `None`: a part of it is not there.
    pub fn image(&self, digest: &Digest, manifest: &Digest) -> Result<Option<workload::Image>> {
        let known = self.images.lock().unwrap_or_else(PoisonError::into_inner).get(manifest).cloned();
        let image = match known {
            Some(image) => image,
            None => match self.assemble(manifest)? {
                Some(image) => self.remember(manifest, image),
                None => return Ok(None),
            },
        };
        Ok(Some(workload::Image { digest: digest.to_string(), ..(*image).clone() }))
    }

    pub fn forget_images(&self) {
        self.images.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Manifest and configuration as they were stored.
    pub fn documents(&self, manifest: &Digest) -> Result<Option<(Manifest, Configuration)>> {
        let Some(bytes) = self.blob(manifest)? else {
            return Ok(None);
        };
        let Document::Manifest(document) = Document::parse(&manifest.to_string(), &bytes)? else {
            return Ok(None);
        };
        let Some(bytes) = self.blob(&document.config.digest)? else {
            return Ok(None);
        };
        let configuration = Configuration::parse(&manifest.to_string(), &bytes, document.layers.len())?;
        Ok(Some((document, configuration)))
    }

    fn assemble(&self, manifest: &Digest) -> Result<Option<workload::Image>> {
        let Some((_, configuration)) = self.documents(manifest)? else {
            return Ok(None);
        };
        let mut image = configuration.image(manifest);
        for chain_id in configuration.chain_ids() {
            if !self.disk.layer(&chain_id).exists() {
                return Ok(None);
            }
            image.layers.push(self.layers.short_path(&self.disk, &chain_id)?);
        }
        Ok(Some(image))
    }

    fn remember(&self, manifest: &Digest, image: workload::Image) -> Arc<workload::Image> {
        let image = Arc::new(image);
        self.images.lock().unwrap_or_else(PoisonError::into_inner).insert(manifest.clone(), image.clone());
        image
    }

    fn blob(&self, digest: &Digest) -> Result<Option<Vec<u8>>> {
        let path = self.disk.blob(digest);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(path.display().to_string(), &error)),
        }
    }

    fn put_blob(&self, bytes: &[u8]) -> Result<Flock<File>> {
        let path = self.disk.blob(&Digest::of(bytes));
        loop {
            if let Some(held) = disk::hold(&path)? {
                return Ok(held);
            }
            self.disk.write_durably(&path, bytes)?;
        }
    }
}

/// What is not said of an image's root directory is as everywhere.
fn make_root(path: &Path) -> std::io::Result<()> {
    fs::create_dir(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o755))
}

/// Disk work, away from the threads that serve.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(gone) if gone.is_panic() => std::panic::resume_unwind(gone.into_panic()),
        Err(gone) => Err(Error::Io { context: "image store".to_owned(), reason: gone.to_string() }),
    }
}
