//! The files of an image archive, read where they lie: a directory, or a tar whose places were noted in one pass. Only a
//! compressed archive is first written out plain. Names out of the archive never become paths outside of it.

use crate::compression::{decompress, is_compressed};
use crate::digest::Digest;
use crate::disk::{Disk, Scratch};
use crate::error::{Context, Error, Result};
use crate::install::Shipped;
use base::limits::IMAGE_DOCUMENT_BYTES;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

pub struct Source {
    /// As the user named it, for messages and for images without a name.
    pub file: PathBuf,
    files: Files,
    _plain: Option<Scratch>,
}

/// One file of it, as a layer.
pub struct Part {
    pub source: Arc<Source>,
    pub name: String,
}

impl Shipped for Part {
    fn open(&self) -> Result<Box<dyn Read + Send>> {
        self.source.read(&self.name)
    }
}

enum Files {
    Directory,
    Archive { file: Arc<File>, members: BTreeMap<PathBuf, Member> },
}

enum Member {
    File { from: u64, length: u64 },
    Link(PathBuf),
}

impl Source {
    pub fn open(path: &Path, disk: &Disk) -> Result<Source> {
        let file = path.to_owned();
        if path.is_dir() {
            return Ok(Source { file, files: Files::Directory, _plain: None });
        }
        let (archive, plain) = plain(path, disk)?;
        let members = members(&archive).map_err(|error| Error::archive(path, format!("not an image archive: {error}")))?;
        Ok(Source { file, files: Files::Archive { file: Arc::new(archive), members }, _plain: plain })
    }

    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }

    pub fn size(&self, name: &str) -> Result<u64> {
        self.find(name).map(|found| match found {
            Found::Path(path) => fs::metadata(path).map_or(0, |metadata| metadata.len()),
            Found::Section(section) => section.end - section.from,
        })
    }

    pub fn read(&self, name: &str) -> Result<Box<dyn Read + Send>> {
        match self.find(name)? {
            Found::Path(path) => Ok(Box::new(File::open(&path).context(path.display())?)),
            Found::Section(section) => Ok(Box::new(section)),
        }
    }

    pub fn document(&self, name: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self.read(name)?.take(IMAGE_DOCUMENT_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|error| self.broken(format!("{name}: {error}")))?;
        if bytes.len() as u64 > IMAGE_DOCUMENT_BYTES {
            return Err(self.broken(format!("{name} is too large")));
        }
        Ok(bytes)
    }

    /// A document of an OCI layout, checked against its name.
    pub fn blob(&self, digest: &Digest) -> Result<Vec<u8>> {
        let bytes = self.document(&blob_name(digest))?;
        let actual = Digest::of(&bytes);
        if actual == *digest {
            return Ok(bytes);
        }
        Err(Error::DigestMismatch { what: blob_name(digest), expected: digest.clone(), actual })
    }

    pub fn broken(&self, reason: impl ToString) -> Error {
        Error::archive(&self.file, reason)
    }

    fn find(&self, name: &str) -> Result<Found> {
        let missing = || self.broken(format!("{name} is missing"));
        let name = inside(Path::new(name)).ok_or_else(missing)?;
        match &self.files {
            Files::Directory => {
                let path = self.file.join(&name);
                if path.is_file() { Ok(Found::Path(path)) } else { Err(missing()) }
            }
            Files::Archive { file, members } => {
                let section =
                    follow(members, name).map(|(from, length)| Section { file: file.clone(), from, end: from + length });
                section.map(Found::Section).ok_or_else(missing)
            }
        }
    }
}

pub fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

enum Found {
    Path(PathBuf),
    Section(Section),
}

struct Section {
    file: Arc<File>,
    from: u64,
    end: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.end - self.from).unwrap_or(usize::MAX));
        let count = self.file.read_at(&mut buffer[..most], self.from)?;
        self.from += count as u64;
        Ok(count)
    }
}

/// `docker save` of old wrote equal layers once and linked to them.
fn follow(members: &BTreeMap<PathBuf, Member>, mut name: PathBuf) -> Option<(u64, u64)> {
    const MOST_LINKS: usize = 8;
    for _ in 0..MOST_LINKS {
        match members.get(&name)? {
            Member::File { from, length } => return Some((*from, *length)),
            Member::Link(target) => name = inside(&name.parent()?.join(target))?,
        }
    }
    None
}

/// Relative and without `..`; `None` if it leads out.
fn inside(path: &Path) -> Option<PathBuf> {
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => cleaned.push(name),
            Component::CurDir => {}
            Component::ParentDir if cleaned.pop() => {}
            _ => return None,
        }
    }
    Some(cleaned)
}

fn plain(path: &Path, disk: &Disk) -> Result<(File, Option<Scratch>)> {
    let file = File::open(path).context(path.display())?;
    let mut beginning = [0; 4];
    let length = file.read_at(&mut beginning, 0).context(path.display())?;
    if !is_compressed(&beginning[..length]) {
        return Ok((file, None));
    }
    let scratch = disk.scratch()?;
    let temporary = scratch.path().join("archive");
    let mut plain = File::options().read(true).write(true).create_new(true).open(&temporary).context(temporary.display())?;
    let mut decompressed = decompress(file).context(path.display())?;
    io::copy(&mut decompressed, &mut plain).context(temporary.display())?;
    plain.rewind().context(temporary.display())?;
    Ok((plain, Some(scratch)))
}

fn members(file: &File) -> io::Result<BTreeMap<PathBuf, Member>> {
    let mut members = BTreeMap::new();
    for entry in tar::Archive::new(file).entries_with_seek()? {
        let entry = entry?;
        let Some(name) = inside(Path::new(OsStr::from_bytes(&entry.path_bytes()))) else {
            continue;
        };
        let link = entry.link_name_bytes().map(|link| PathBuf::from(OsStr::from_bytes(&link)));
        let member = match (entry.header().entry_type(), link) {
            (tar::EntryType::Regular | tar::EntryType::Continuous, _) => {
                Member::File { from: entry.raw_file_position(), length: entry.size() }
            }
            (tar::EntryType::Symlink, Some(link)) => Member::Link(link),
            // A hard link names its target from the archive's root.
            (tar::EntryType::Link, Some(link)) => {
                Member::Link(Path::new(&"../".repeat(name.components().count() - 1)).join(link))
            }
            _ => continue,
        };
        members.insert(name, member);
    }
    Ok(members)
}
