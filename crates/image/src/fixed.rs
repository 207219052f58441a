//! Images made from given files: Slipway's own, which need neither a registry nor an archive. The same files give the same
//! digest on every machine and at every time.

use crate::digest::{Digest, Hasher};
use crate::document::{Configuration, Execution, RootFs, manifest_of};
use crate::error::{Context, Error, Result};
use crate::install::{Complete, Shelf, Shipped, blocking};
use crate::layer::unpack::Expected;
use crate::names::Origin;
use crate::platform::Platform;
use crate::store::Store;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::PathBuf;
use std::sync::Arc;
use tar::{EntryType, Header};

#[derive(Clone, Debug)]
pub struct StaticFile {
    /// Within the image.
    pub path: String,
    pub mode: u32,
    pub content: Content,
}

#[derive(Clone, Debug)]
pub enum Content {
    Bytes(Vec<u8>),
    /// A file of the host, e.g. this very program.
    File(PathBuf),
    Symlink(String),
    Directory,
}

impl Store {
    /// Of `how`, the digest and the layers are not read. A name that has the same content already costs reading the files.
    pub async fn add_static(&self, name: &str, files: Vec<StaticFile>, how: &workload::Image) -> Result<workload::Image> {
        let reference = self.parse(name)?;
        let files = Arc::new(files);
        let measured = files.clone();
        let layer = blocking(move || measure(&measured)).await?;
        let diff_id = layer.digest();
        let configuration = json(&configuration(&self.config.platform, how, &diff_id))?;
        let manifest = json(&manifest_of(&configuration, vec![(diff_id.clone(), layer.length)]))?;
        let digest = Digest::of(&manifest);
        let turn = self.shelf.turn(&diff_id).await;
        let held = match self.shelf.held(&diff_id).await? {
            Some(held) => held,
            None => {
                let expected = Expected { blob: None, diff_id: diff_id.clone() };
                let from = Packed { shelf: self.shelf.clone(), files };
                self.shelf.unpack(turn, &diff_id, expected, &[], from).await?
            }
        };
        let image = Complete { digest, manifest, configuration, layers: vec![held], origin: Origin::Static };
        let shelf = self.shelf.clone();
        blocking(move || shelf.finish(image, &[reference.key()])).await
    }
}

struct Packed {
    shelf: Arc<Shelf>,
    files: Arc<Vec<StaticFile>>,
}

impl Shipped for Packed {
    fn open(&self) -> Result<Box<dyn Read + Send>> {
        let scratch = self.shelf.disk.scratch()?;
        let path = scratch.path().join("layer");
        let mut file = File::options().read(true).write(true).create_new(true).open(&path).context(path.display())?;
        write(&self.files, &mut file).and_then(|()| file.rewind()).context(path.display())?;
        // The file has no name from here on, and goes with its reader.
        Ok(Box::new(file))
    }
}

fn json(document: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(document).map_err(|error| Error::Io { context: "image document".to_owned(), reason: error.to_string() })
}

fn measure(files: &[StaticFile]) -> Result<Hasher> {
    let mut hasher = Hasher::default();
    write(files, &mut hasher).context("static image")?;
    Ok(hasher)
}

fn write(files: &[StaticFile], to: &mut impl Write) -> io::Result<()> {
    let mut builder = tar::Builder::new(to);
    for file in files {
        append(&mut builder, file)?;
    }
    builder.finish()
}

/// Owned by root, of the beginning of time.
fn append(builder: &mut tar::Builder<impl Write>, file: &StaticFile) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(file.mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    let path = file.path.trim_start_matches('/');
    match &file.content {
        Content::Bytes(bytes) => {
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, path, bytes.as_slice())
        }
        Content::File(source) => {
            let content = File::open(source)?;
            header.set_size(content.metadata()?.len());
            builder.append_data(&mut header, path, content)
        }
        Content::Symlink(target) => {
            header.set_entry_type(EntryType::Symlink);
            // `append_link` tidies targets: `/` would become `//`.
            header.set_link_name_literal(target)?;
            builder.append_data(&mut header, path, io::empty())
        }
        Content::Directory => {
            header.set_entry_type(EntryType::Directory);
            builder.append_data(&mut header, path, io::empty())
        }
    }
}

fn configuration(platform: &Platform, how: &workload::Image, diff_id: &Digest) -> Configuration {
    let set = |keys: &[String]| keys.iter().map(|key| (key.clone(), serde_json::json!({}))).collect();
    Configuration {
        architecture: platform.architecture.clone(),
        os: platform.os.clone(),
        config: Execution {
            entrypoint: how.entry_point.clone(),
            cmd: how.command.clone(),
            env: how.environment.clone(),
            user: how.user.clone(),
            working_dir: how.working_directory.clone(),
            stop_signal: how.stop_signal.clone(),
            volumes: set(&how.volumes),
            exposed_ports: set(&how.exposed_ports),
            labels: how.labels.clone(),
        },
        rootfs: RootFs { kind: "layers".to_owned(), diff_ids: vec![diff_id.clone()] },
    }
}
