//! Unpacked layers: each one directory, made once, named by its chain id and given out under a short name.
//! A layer that is in use by an operation is held by a lock on its directory, which also other processes' collection sees.

mod apply;
mod archive;
mod lower;
mod tree;
pub mod unpack;

use crate::digest::Digest;
use crate::disk::{Disk, hold, lock, sync_directory};
use crate::error::{Context, Error, Result};
use nix::fcntl::{AT_FDCWD, Flock, FlockArg, RenameFlags, renameat2};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

#[derive(Default)]
pub struct Layers {
    links: Mutex<BTreeMap<Digest, PathBuf>>,
}

/// A layer that is there and stays there as long as this value.
pub struct Held {
    pub directory: PathBuf,
    _lock: Flock<File>,
}

impl Layers {
    /// `None`: nobody has unpacked it, or it is just being collected.
    pub fn hold(&self, disk: &Disk, chain_id: &Digest) -> Result<Option<Held>> {
        let directory = disk.layer(chain_id);
        Ok(hold(&directory)?.map(|lock| Held { directory, _lock: lock }))
    }

    /// Makes an unpacked directory a layer, durably. What is unpacked is not synced file by file: one flush covers it.
    pub fn commit(&self, disk: &Disk, unpacked: &Path, chain_id: &Digest) -> Result<Held> {
        let directory = disk.layer(chain_id);
        let held = lock(unpacked, FlockArg::LockShared)?;
        nix::unistd::syncfs(&*held).context(unpacked.display())?;
        match renameat2(AT_FDCWD, unpacked, AT_FDCWD, &directory, RenameFlags::RENAME_NOREPLACE) {
            Ok(()) => sync_directory(&disk.layers()).context(directory.display())?,
            Err(nix::errno::Errno::EEXIST) => {
                let gone = || Error::io(directory.display().to_string(), &io::ErrorKind::NotFound.into());
                return self.hold(disk, chain_id)?.ok_or_else(gone);
            }
            Err(errno) => return Err(errno).context(directory.display()),
        }
        Ok(Held { directory, _lock: held })
    }

    /// A short name of the layer's directory: mount options must fit a page, and images have up to 127 layers.
    pub fn short_path(&self, disk: &Disk, chain_id: &Digest) -> Result<PathBuf> {
        let target = target(chain_id);
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if links.get(chain_id).is_none_or(|link| !leads_to(link, &target)) {
            *links = read_links(disk)?;
        }
        if let Some(link) = links.get(chain_id) {
            return Ok(link.clone());
        }
        let link = make_link(disk, links.len(), &target)?;
        links.insert(chain_id.clone(), link.clone());
        Ok(link)
    }

    pub fn forget(&self, disk: &Disk, chain_id: &Digest) -> Result<()> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        *links = read_links(disk)?;
        match links.remove(chain_id) {
            Some(link) => fs::remove_file(&link).context(link.display()),
            None => Ok(()),
        }
    }
}

fn target(chain_id: &Digest) -> PathBuf {
    Path::new("../layers").join(chain_id.hex())
}

fn leads_to(link: &Path, target: &Path) -> bool {
    fs::read_link(link).is_ok_and(|read| read == target)
}

fn read_links(disk: &Disk) -> Result<BTreeMap<Digest, PathBuf>> {
    let mut links = BTreeMap::new();
    for entry in fs::read_dir(disk.links()).context(disk.links().display())? {
        let link = entry.context(disk.links().display())?.path();
        let target = fs::read_link(&link).unwrap_or_default();
        let hex = target.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        links.extend(Digest::from_hex(hex).ok().map(|chain_id| (chain_id, link)));
    }
    Ok(links)
}

/// The first free number from `from` on, in base 36.
fn make_link(disk: &Disk, from: usize, target: &Path) -> Result<PathBuf> {
    let mut number = from;
    loop {
        let link = disk.links().join(base36(number));
        match symlink(target, &link) {
            Ok(()) => return Ok(link),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(Error::io(link.display().to_string(), &error)),
        }
    }
}

fn base36(mut number: usize) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[number % 36]);
        number /= 36;
        if number == 0 {
            break;
        }
    }
    digits.iter().rev().map(|digit| char::from(*digit)).collect()
}
