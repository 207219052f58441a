//! Network namespaces: made, entered and named. Entering happens on a thread of its own that ends with the work, so
//! that no thread of the process, and never one of the async runtime, is left in a foreign namespace.

use super::netlink::Socket;
use nix::mount::{MntFlags, MsFlags};
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

/// `NSFS_MAGIC` of linux/magic.h.
const NSFS: i64 = 0x6e73_6673;

pub struct Namespace {
    /// Keeps it alive until it has a name.
    pub file: File,
    pub routes: Socket,
}

/// A new namespace in which `prepare` has run.
pub fn create(prepare: impl FnOnce() -> io::Result<()> + Send) -> io::Result<Namespace> {
    on_a_thread(|| {
        unshare(CloneFlags::CLONE_NEWNET)?;
        prepare()?;
        Ok(Namespace { file: File::open("/proc/thread-self/ns/net")?, routes: Socket::open(libc::NETLINK_ROUTE)? })
    })
}

pub fn inside<T: Send>(namespace: &File, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    on_a_thread(|| {
        setns(namespace, CloneFlags::CLONE_NEWNET)?;
        work()
    })
}

fn on_a_thread<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("netns".into()).spawn_scoped(scope, work)?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Binds the namespace to `path`, as `ip netns` does: from now on the path keeps it alive, not this process.
pub fn name(namespace: &File, path: &Path) -> io::Result<()> {
    File::create(path)?;
    let source = format!("/proc/self/fd/{}", namespace.as_raw_fd());
    Ok(nix::mount::mount(Some(source.as_str()), path, None::<&str>, MsFlags::MS_BIND, None::<&str>)?)
}

/// Idempotent. Unlinking also drops copies of the mount in other mount namespaces. The kernel tears the namespace and
/// its links down in the background, once its last process is gone.
pub fn forget(path: &Path) -> io::Result<()> {
    match nix::mount::umount2(path, MntFlags::MNT_DETACH) {
        Ok(()) | Err(nix::Error::EINVAL | nix::Error::ENOENT) => {}
        Err(error) => return Err(error.into()),
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether `path` names a namespace; after a reboot it is an empty file.
pub fn is_named(path: &Path) -> bool {
    nix::sys::statfs::statfs(path).is_ok_and(|found| found.filesystem_type().0 == NSFS)
}
