//! A directory that nothing written through it can leave: every path is resolved by the kernel with this directory as its
//! root, the way it will look from inside a container. The last component is never followed.

use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{FchmodatFlags, FileStat, Mode, SFlag, UtimensatFlags, fchmodat, fstatat, mkdirat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchownat, unlinkat};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

/// Overlayfs's mark for "the layers below have nothing in this directory".
pub const OPAQUE: &str = "trusted.overlay.opaque";

pub struct Tree {
    root: OwnedFd,
    /// The directory the last entry went to: archives list a directory's files together.
    recent: Option<(PathBuf, Rc<OwnedFd>)>,
}

/// A name in a directory, whether or not there is something of that name.
pub struct Place {
    pub directory: Rc<OwnedFd>,
    pub name: OsString,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Attributes {
    pub uid: u32,
    pub gid: u32,
    pub mode: u32,
    pub modified: TimeSpec,
    pub xattrs: Vec<(OsString, Vec<u8>)>,
}

/// The path without `.` and `..`, relative. `None` if it climbs above its root.
pub fn clean(path: &Path) -> Option<PathBuf> {
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => cleaned.push(name),
            Component::ParentDir if !cleaned.pop() => return None,
            Component::ParentDir | Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Some(cleaned)
}

pub fn open_within(root: impl AsFd, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
    let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(ResolveFlag::RESOLVE_IN_ROOT);
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    openat2(root, path, how)
}

impl Tree {
    pub fn open(path: &Path) -> io::Result<Tree> {
        Ok(Tree { root: fs::File::open(path)?.into(), recent: None })
    }

    /// Where a cleaned `path` is or will be. Missing directories above it are made; `made` hears of each.
    pub fn place(&mut self, path: &Path, made: &mut dyn FnMut(&Path, &Place) -> io::Result<()>) -> io::Result<Place> {
        let (parent, name) = split(path);
        Ok(Place { directory: self.directory(parent, made)?, name: name.to_owned() })
    }

    /// The same, without making anything.
    pub fn existing(&self, path: &Path) -> io::Result<Option<Place>> {
        let (parent, name) = split(path);
        match self.enter(parent) {
            Ok(directory) => Ok(Some(Place { directory: Rc::new(directory), name: name.to_owned() })),
            Err(nix::errno::Errno::ENOENT | nix::errno::Errno::ENOTDIR) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    fn directory(&mut self, path: &Path, made: &mut dyn FnMut(&Path, &Place) -> io::Result<()>) -> io::Result<Rc<OwnedFd>> {
        if let Some((recent, directory)) = &self.recent
            && recent == path
        {
            return Ok(directory.clone());
        }
        let directory = match self.enter(path) {
            Err(nix::errno::Errno::ENOENT) if !path.as_os_str().is_empty() => {
                let place = self.place(path, made)?;
                mkdirat(&*place.directory, &*place.name, Mode::from_bits_truncate(0o755))?;
                place.set_mode(0o755)?;
                made(path, &place)?;
                self.enter(path)?
            }
            other => other?,
        };
        let directory = Rc::new(directory);
        self.recent = Some((path.to_owned(), directory.clone()));
        Ok(directory)
    }

    fn enter(&self, path: &Path) -> nix::Result<OwnedFd> {
        open_within(&self.root, path, OFlag::O_PATH | OFlag::O_DIRECTORY)
    }

    /// What was remembered may have been replaced.
    pub fn forget(&mut self) {
        self.recent = None;
    }
}

/// The root itself is `.` in itself.
fn split(path: &Path) -> (&Path, &OsStr) {
    match path.file_name() {
        Some(name) => (path.parent().unwrap_or(Path::new("")), name),
        None => (Path::new(""), OsStr::new(".")),
    }
}

impl Place {
    pub fn stat(&self) -> io::Result<Option<FileStat>> {
        match fstatat(&*self.directory, &*self.name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(nix::errno::Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// A path for the calls that take no descriptor; it does not pass through any name the archive chose.
    pub fn path(&self) -> PathBuf {
        Path::new("/proc/self/fd").join(self.directory.as_raw_fd().to_string()).join(&self.name)
    }

    pub fn remove(&self, stat: &FileStat) -> io::Result<()> {
        if kind(stat) == SFlag::S_IFDIR {
            fs::remove_dir_all(self.path())
        } else {
            Ok(unlinkat(&*self.directory, &*self.name, UnlinkatFlags::NoRemoveDir)?)
        }
    }

    /// Owner before mode and capabilities, since a change of owner clears them; the time last, since all else changes it.
    pub fn set_attributes(&self, attributes: &Attributes, is_symlink: bool) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(attributes.uid), Gid::from_raw(attributes.gid));
        fchownat(&*self.directory, &*self.name, Some(uid), Some(gid), AtFlags::AT_SYMLINK_NOFOLLOW)?;
        if !is_symlink {
            self.set_mode(attributes.mode)?;
        }
        for (name, value) in &attributes.xattrs {
            self.set_xattr(name, value)?;
        }
        self.set_modified(&attributes.modified)
    }

    fn set_mode(&self, mode: u32) -> io::Result<()> {
        let mode = Mode::from_bits_truncate(mode);
        Ok(fchmodat(&*self.directory, &*self.name, mode, FchmodatFlags::FollowSymlink)?)
    }

    pub fn set_modified(&self, time: &TimeSpec) -> io::Result<()> {
        Ok(utimensat(&*self.directory, &*self.name, time, time, UtimensatFlags::NoFollowSymlink)?)
    }

    /// Must be possible: without it files show through that the image has not.
    pub fn set_opaque(&self) -> io::Result<()> {
        xattr::set(self.path(), OPAQUE, b"y")
    }

    /// Where possible: file systems without extended attributes, and kinds of them this process may not set, are let be.
    fn set_xattr(&self, name: &OsStr, value: &[u8]) -> io::Result<()> {
        match xattr::set(self.path(), name, value) {
            Err(error) if matches!(error.raw_os_error(), Some(nix::libc::EOPNOTSUPP | nix::libc::EPERM)) => {
                tracing::debug!(?name, %error, "cannot set an extended attribute");
                Ok(())
            }
            other => other,
        }
    }
}

pub fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}

/// Overlayfs's mark for "the layers below have no such name".
pub fn is_whiteout(stat: &FileStat) -> bool {
    kind(stat) == SFlag::S_IFCHR && stat.st_rdev == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_and_never_climb() {
        let cleaned = |path: &str| clean(Path::new(path)).map(|path| path.display().to_string());
        for (path, expected) in [
            ("./a//b/", Some("a/b")),
            ("/etc/passwd", Some("etc/passwd")),
            ("a/../b", Some("b")),
            ("./", Some("")),
            ("..", None),
            ("a/../../b", None),
            ("/../etc", None),
        ] {
            assert_eq!(cleaned(path).as_deref(), expected, "{path}");
        }
    }
}
