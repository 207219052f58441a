//! One entry of a layer's archive becomes a file of the unpacked layer. Whiteouts become overlayfs's own marks
//! (OCI image specification, "Layer"; kernel documentation, "Overlay Filesystem").

use super::archive::{Entry, Kind, refused};
use super::lower::{Found, Lower};
use super::tree::{Attributes, Place, Tree, clean, is_whiteout, kind};
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, SFlag, makedev, mkdirat, mknodat};
use nix::sys::time::TimeSpec;
use nix::unistd::{linkat, symlinkat};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE_WHITEOUT: &[u8] = b".wh..wh..opq";
/// Names of AUFS's own bookkeeping, meaningless elsewhere.
const BOOKKEEPING: &[u8] = b".wh..wh.";

pub struct Applier {
    tree: Tree,
    lower: Lower,
    /// Entries within a directory change its time, so directories get theirs at the end.
    directory_times: Vec<(PathBuf, TimeSpec)>,
    buffer: Vec<u8>,
}

impl Applier {
    pub fn new(tree: Tree, lower: Lower) -> Applier {
        Applier { tree, lower, directory_times: Vec::new(), buffer: vec![0; 128 * 1024] }
    }

    /// `path` is the entry's cleaned one.
    pub fn apply(&mut self, path: &Path, entry: &Entry, content: &mut impl Read) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default().as_bytes();
        match name.strip_prefix(WHITEOUT) {
            None => self.apply_file(path, entry, content),
            Some(_) if name == OPAQUE_WHITEOUT => self.make_opaque(path.parent().unwrap_or(Path::new(""))),
            Some(_) if name.starts_with(BOOKKEEPING) => Ok(()),
            Some(b"" | b"." | b"..") => Err(refused("whiteout of no name")),
            Some(hidden) => self.make_whiteout(&path.with_file_name(OsStr::from_bytes(hidden))),
        }
    }

    pub fn finish(mut self) -> io::Result<()> {
        for (path, time) in std::mem::take(&mut self.directory_times).iter().rev() {
            // It may have been replaced since.
            if let Some(place) = self.tree.existing(path)?
                && place.stat()?.is_some_and(|stat| kind(&stat) == SFlag::S_IFDIR)
            {
                place.set_modified(time)?;
            }
        }
        Ok(())
    }

    fn apply_file(&mut self, path: &Path, entry: &Entry, content: &mut impl Read) -> io::Result<()> {
        let attributes = &entry.attributes;
        let place = self.place(path)?;
        match entry.kind {
            Kind::Directory => self.make_directory(path, &place, attributes),
            Kind::File => {
                self.clear(&place)?;
                copy(content, create(&place)?, &mut self.buffer)?;
                place.set_attributes(attributes, false)
            }
            Kind::Symlink => {
                self.clear(&place)?;
                symlinkat(&entry.link, &*place.directory, &*place.name)?;
                place.set_attributes(attributes, true)
            }
            Kind::Link => self.make_link(&place, &entry.link),
            Kind::Char { major, minor } => self.make_node(&place, SFlag::S_IFCHR, makedev(major, minor), attributes),
            Kind::Block { major, minor } => self.make_node(&place, SFlag::S_IFBLK, makedev(major, minor), attributes),
            Kind::Fifo => self.make_node(&place, SFlag::S_IFIFO, 0, attributes),
        }
    }

    /// A layer that does not list the directories above an entry means those of the layers below.
    fn place(&mut self, path: &Path) -> io::Result<Place> {
        let lower = &self.lower;
        self.tree.place(path, &mut |path, place| match lower.find(path)? {
            Some(found) if kind(&found.stat) == SFlag::S_IFDIR => place.set_attributes(&attributes_of_found(&found), false),
            _ => Ok(()),
        })
    }

    fn make_directory(&mut self, path: &Path, place: &Place, attributes: &Attributes) -> io::Result<()> {
        match place.stat()? {
            Some(stat) if kind(&stat) == SFlag::S_IFDIR => {}
            existing => {
                self.clear(place)?;
                mkdirat(&*place.directory, &*place.name, Mode::from_bits_truncate(0o700))?;
                if existing.is_some_and(|stat| is_whiteout(&stat)) {
                    place.set_opaque()?;
                }
            }
        }
        self.directory_times.push((path.to_owned(), attributes.modified));
        place.set_attributes(attributes, false)
    }

    fn make_node(&mut self, place: &Place, kind: SFlag, device: u64, attributes: &Attributes) -> io::Result<()> {
        self.clear(place)?;
        mknodat(&*place.directory, &*place.name, kind, Mode::from_bits_truncate(0o600), device)?;
        place.set_attributes(attributes, false)
    }

    fn make_link(&mut self, place: &Place, target: &Path) -> io::Result<()> {
        let target = clean(target).ok_or_else(|| refused("hard link out of the image"))?;
        let source = self.place(&target)?;
        if source.stat()?.is_none() {
            self.copy_up(&target, &source)?;
        }
        let same = source.stat()?.map(|stat| stat.st_ino) == place.stat()?.map(|stat| stat.st_ino);
        if !same {
            self.clear(place)?;
            linkat(&*source.directory, &*source.name, &*place.directory, &*place.name, AtFlags::empty())?;
        }
        Ok(())
    }

    /// A link to a file of a lower layer brings the file into this one, as overlayfs does on link(2).
    fn copy_up(&mut self, path: &Path, place: &Place) -> io::Result<()> {
        match self.lower.find(path)? {
            Some(found) if kind(&found.stat) == SFlag::S_IFREG => {
                let attributes = attributes_of_found(&found);
                copy(&mut File::open(found.path())?, create(place)?, &mut self.buffer)?;
                place.set_attributes(&attributes, false)
            }
            _ => Err(refused(format!("hard link to {}, which is not there", path.display()))),
        }
    }

    /// A name both hidden and there in one layer is the layer's own: whiteouts are about the layers below only.
    fn make_whiteout(&mut self, path: &Path) -> io::Result<()> {
        let place = self.place(path)?;
        match place.stat()? {
            Some(stat) if kind(&stat) == SFlag::S_IFDIR => place.set_opaque(),
            Some(_) => Ok(()),
            None => Ok(mknodat(&*place.directory, &*place.name, SFlag::S_IFCHR, Mode::empty(), makedev(0, 0))?),
        }
    }

    fn make_opaque(&mut self, path: &Path) -> io::Result<()> {
        // Placing a name inside makes the directory itself when it is missing.
        self.place(&path.join("x"))?;
        self.place(path)?.set_opaque()
    }

    fn clear(&mut self, place: &Place) -> io::Result<()> {
        if let Some(stat) = place.stat()? {
            place.remove(&stat)?;
            self.tree.forget();
        }
        Ok(())
    }
}

fn create(place: &Place) -> io::Result<File> {
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    Ok(openat(&*place.directory, &*place.name, flags, Mode::from_bits_truncate(0o600))?.into())
}

fn copy(from: &mut impl Read, mut to: File, buffer: &mut [u8]) -> io::Result<()> {
    loop {
        match from.read(buffer)? {
            0 => return Ok(()),
            count => to.write_all(&buffer[..count])?,
        }
    }
}

fn attributes_of_found(found: &Found) -> Attributes {
    let stat = &found.stat;
    Attributes {
        uid: stat.st_uid,
        gid: stat.st_gid,
        mode: stat.st_mode & 0o7777,
        modified: TimeSpec::new(stat.st_mtime, stat.st_mtime_nsec),
        xattrs: Vec::new(),
    }
}
