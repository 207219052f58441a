//! What the compiler must know of this host and of the mounted root file system.

use super::rootfs;
use crate::ContainerRun;
use crate::oci::cgroup::{Group, Host, devices::Kind};
use crate::oci::dir::{Container, Sandbox};
use crate::oci::launch::bounding_set;
use crate::oci::spec::{HostFacts, capability, definition, device::Node, rlimit};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

pub fn gather(run: &ContainerRun, sandbox: &Sandbox, dir: &Container, group: &Group, pause: Option<i32>) -> HostFacts {
    let (rootfs, bounding) = (dir.merged(), bounding_set());
    HostFacts {
        cgroup_v2: matches!(group.host(), Host::V2(_)),
        cgroup_path: group.path(),
        bounding,
        hard_limits: (bounding & capability::bit("SYS_RESOURCE") == 0).then(hard_limits),
        passwd: rootfs::read_text(&rootfs, "/etc/passwd"),
        group: rootfs::read_text(&rootfs, "/etc/group"),
        devices: devices(run),
        rootfs,
        files: dir.0.clone(),
        private_files: rootfs::private_files(dir),
        cgroup_view: None,
        has_mqueue: Path::new("/proc/sys/fs/mqueue").exists(),
        pause,
        shared_memory: sandbox.shared_memory(),
        init: own_binary(),
    }
}

/// After an upgrade the kernel says that ours was deleted; what stands in its place has an init as well.
fn own_binary() -> PathBuf {
    let path = fs::read_link("/proc/self/exe").unwrap_or_default().to_string_lossy().into_owned();
    PathBuf::from(path.strip_suffix(" (deleted)").unwrap_or(&path))
}

#[allow(unsafe_code)]
fn hard_limits() -> BTreeMap<u32, u64> {
    let hard = |resource: u32| {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: `limit` is a valid structure for the kernel to fill.
        unsafe { libc::getrlimit(resource, &mut limit) };
        limit.rlim_max
    };
    rlimit::resources().map(|resource| (resource, hard(resource))).collect()
}

fn devices(run: &ContainerRun) -> BTreeMap<String, Node> {
    let Ok(container) = definition(run) else { return BTreeMap::new() };
    let mut nodes = BTreeMap::new();
    if container.privileged {
        collect(Path::new("/dev"), &mut nodes);
    }
    let named = container.devices.iter().map(|device| device.host_path.clone());
    nodes.extend(named.filter_map(|path| node(Path::new(&path)).map(|node| (path, node))));
    nodes
}

/// Everything but what every container has its own of.
fn collect(dir: &Path, nodes: &mut BTreeMap<String, Node>) {
    const OWN: [&str; 6] = ["/dev/pts", "/dev/shm", "/dev/fd", "/dev/mqueue", "/dev/console", "/dev/ptmx"];
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path: PathBuf = entry.path();
        if OWN.iter().any(|own| path == Path::new(own)) {
            continue;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&path, nodes),
            Ok(kind) if !kind.is_symlink() => nodes.extend(node(&path).map(|node| (path.to_string_lossy().into_owned(), node))),
            _ => {}
        }
    }
}

fn node(path: &Path) -> Option<Node> {
    let metadata = fs::metadata(path).ok()?;
    let kind = match metadata.file_type() {
        t if t.is_block_device() => Kind::Block,
        t if t.is_char_device() => Kind::Char,
        _ => return None,
    };
    let (major, minor) = (libc::major(metadata.rdev()), libc::minor(metadata.rdev()));
    let mode = metadata.permissions().mode() & 0o7777;
    Some(Node { kind, major, minor, mode, uid: metadata.uid(), gid: metadata.gid() })
}
