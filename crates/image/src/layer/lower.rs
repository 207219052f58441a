//! What the layers below look like together, for the two things a layer may leave unsaid: the attributes of a directory
//! above its entries, and the file that a hard link names. Reads only.

use super::tree::{OPAQUE, is_whiteout, open_within};
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, fstat};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

pub struct Lower {
    /// Highest first.
    layers: Vec<OwnedFd>,
}

pub struct Found {
    pub stat: FileStat,
    file: OwnedFd,
}

enum Sight {
    Seen(Found),
    /// This layer hides what is below.
    Hidden,
    /// Look further down.
    Through,
}

impl Lower {
    /// `layers` lowest first.
    pub fn open(layers: &[PathBuf]) -> io::Result<Lower> {
        let layers = layers.iter().rev().map(|layer| Ok(File::open(layer)?.into()));
        Ok(Lower { layers: layers.collect::<io::Result<_>>()? })
    }

    pub fn find(&self, path: &Path) -> io::Result<Option<Found>> {
        for layer in &self.layers {
            match look(layer, path)? {
                Sight::Seen(found) => return Ok(Some(found)),
                Sight::Hidden => return Ok(None),
                Sight::Through => {}
            }
        }
        Ok(None)
    }
}

impl Found {
    pub fn path(&self) -> PathBuf {
        Path::new("/proc/self/fd").join(self.file.as_raw_fd().to_string())
    }
}

fn look(layer: &OwnedFd, path: &Path) -> io::Result<Sight> {
    if let Some(found) = open(layer, path)? {
        return Ok(if is_whiteout(&found.stat) { Sight::Hidden } else { Sight::Seen(found) });
    }
    for ancestor in path.ancestors().skip(1) {
        if let Some(found) = open(layer, ancestor)? {
            let opaque = xattr::get_deref(found.path(), OPAQUE).ok().flatten();
            let hides = is_whiteout(&found.stat) || opaque.as_deref() == Some(b"y");
            if hides {
                return Ok(Sight::Hidden);
            }
        }
    }
    Ok(Sight::Through)
}

fn open(layer: &OwnedFd, path: &Path) -> io::Result<Option<Found>> {
    match open_within(layer, path, OFlag::O_PATH | OFlag::O_NOFOLLOW) {
        Ok(file) => Ok(Some(Found { stat: fstat(&file)?, file })),
        Err(nix::errno::Errno::ENOENT | nix::errno::Errno::ENOTDIR | nix::errno::Errno::ELOOP) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}
