//! A container's root file system: the image's layers under a writable one, mounted in a mount namespace that only the
//! starting fork and then the container are in. When the container's last process is gone, so are its mounts; nothing of
//! them is ever seen on the host.

use crate::PrivateFile;
use crate::oci::cgroup::{Group, Host};
use crate::oci::dir::Container;
use crate::oci::program::User;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use pathrs::Root;
use pathrs::flags::OpenFlags;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown, symlink};
use std::path::{Path, PathBuf};

const NONE: Option<&str> = None;

/// Leaves the host's mount namespace for a copy of it as it is now, so that what the host mounted meanwhile (volumes,
/// network namespaces) is there.
pub fn leave_host(container: &Container) -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)?;
    mount(Some("tmpfs"), &container.scratch(), Some("tmpfs"), MsFlags::empty(), Some("mode=700"))?;
    Ok(())
}

/// Layers are named by short links relative to the working directory: the mount data must fit in one page, and a path of
/// ours may contain the characters overlayfs separates by.
pub fn mount_overlay(container: &Container, layers: &[PathBuf]) -> io::Result<()> {
    let scratch = container.scratch();
    std::env::set_current_dir(&scratch)?;
    for (n, layer) in layers.iter().enumerate() {
        symlink(layer, n.to_string())?;
    }
    if layers.is_empty() {
        fs::create_dir("0")?;
    }
    let lower: Vec<String> = (0..layers.len().max(1)).rev().map(|n| n.to_string()).collect();
    let data = format!("lowerdir={},upperdir=../upper,workdir=../work", lower.join(":"));
    mount(Some("overlay"), &container.merged(), Some("overlay"), MsFlags::empty(), Some(data.as_str()))?;
    Ok(())
}

/// In the container's scratch, which is in memory: what is bound from there outlives it, and ends with the container.
pub fn private_files(container: &Container) -> PathBuf {
    container.scratch().join("files")
}

/// Readable by the container's user only.
pub fn write_private_files(container: &Container, files: &[PrivateFile], user: &User) -> io::Result<()> {
    let directory = private_files(container);
    fs::create_dir(&directory)?;
    for (number, file) in files.iter().enumerate() {
        let mut to = OpenOptions::new().write(true).create_new(true).mode(0o400).open(directory.join(number.to_string()))?;
        to.write_all(file.content.0.as_bytes())?;
        fchown(&to, Some(user.uid), Some(user.gid))?;
    }
    Ok(())
}

/// The container's own version 1 groups under one directory, as Docker shows them at /sys/fs/cgroup: runtimes with
/// managed memory size themselves by them.
pub fn cgroup_view(container: &Container, group: &Group) -> io::Result<Option<PathBuf>> {
    let Host::V1(hierarchies) = group.host() else { return Ok(None) };
    let view = container.scratch().join("cgroup");
    fs::create_dir(&view)?;
    for (hierarchy, dir) in hierarchies.iter().zip(group.dirs()) {
        let Some(name) = hierarchy.mount.file_name() else { continue };
        let target = view.join(name);
        fs::create_dir(&target)?;
        mount(Some(&dir), &target, NONE, MsFlags::MS_BIND, NONE)?;
        for controller in hierarchy.controllers.iter().filter(|c| name != c.as_str()) {
            symlink(name, view.join(controller))?;
        }
    }
    Ok(Some(view))
}

/// A small text file of the image, never one of the host whatever links the image has, and never waiting for the other end
/// of a pipe. Missing is empty.
pub fn read_text(root: &Path, path: &str) -> String {
    const LARGEST: u64 = 1024 * 1024;
    let file = Root::open(root).and_then(|root| root.open_subpath(path, OpenFlags::O_RDONLY | OpenFlags::O_NONBLOCK));
    let mut bytes = Vec::new();
    if let Ok(file) = file
        && file.take(LARGEST).read_to_end(&mut bytes).is_err()
    {
        bytes.clear();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Docker makes a missing working directory.
pub fn make_directory(root: &Path, path: &str) -> io::Result<()> {
    let made = Root::open(root).and_then(|root| root.mkdir_all(path, &fs::Permissions::from_mode(0o755)));
    made.map(drop).map_err(io::Error::other)
}
