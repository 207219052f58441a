//! Ending everything inside a cgroup, and then the cgroup. Waits on pidfds, which become readable when a process dies,
//! whoever its parent is. Never waits without end.

use super::remove_one;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs;
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A killed process that is not dead by then hangs in the kernel (a dead network file system, say).
const DEATH_TIMEOUT: Duration = Duration::from_secs(10);
/// The kernel unlinks a dead process from its group a little after its death, and version 1 reports that to nobody.
const UNLINK_WAITS_MS: [u16; 12] = [1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/// The same processes are in every hierarchy, but one of them may have been joined only in part: look at all.
pub fn kill(dirs: &[PathBuf]) {
    let deadline = Instant::now() + DEATH_TIMEOUT;
    while Instant::now() < deadline && dirs.iter().any(|dir| !pids_below(dir).is_empty()) {
        let dying = send_kill(dirs);
        if !dying.iter().all(|process| await_death(process, deadline)) {
            return;
        }
    }
}

/// Version 2 kills a whole group at once. On version 1 a frozen group cannot fork faster than we kill; dying, it must thaw.
pub fn send_kill(dirs: &[PathBuf]) -> Vec<OwnedFd> {
    let write_where_it_exists = |file: &str, value: &str| dirs.iter().for_each(|dir| drop(fs::write(dir.join(file), value)));
    write_where_it_exists("cgroup.kill", "1");
    write_where_it_exists("freezer.state", "FROZEN");
    let dying = dirs.iter().flat_map(|dir| pids_below(dir)).filter_map(kill_one).collect();
    write_where_it_exists("freezer.state", "THAWED");
    dying
}

pub fn remove(dir: &Path) -> io::Result<()> {
    for child in children(dir) {
        remove(&child)?;
    }
    for wait_ms in UNLINK_WAITS_MS {
        match remove_one(dir) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                // Nothing to await: see UNLINK_WAITS_MS.
                let _ = poll(&mut [], PollTimeout::from(wait_ms));
            }
            other => return other,
        }
    }
    remove_one(dir)
}

fn children(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()).collect()
}

fn pids_below(dir: &Path) -> Vec<i32> {
    let own = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    let mut pids: Vec<i32> = own.lines().filter_map(|line| line.parse().ok()).collect();
    pids.extend(children(dir).iter().flat_map(|child| pids_below(child)));
    // Zero is a process outside of our pid namespace: not ours to kill, and `kill(0)` would be our own group.
    pids.retain(|pid| *pid > 0);
    pids
}

/// `None` when it is dead already.
fn kill_one(pid: i32) -> Option<OwnedFd> {
    let process = open_pid(pid).ok()?;
    signal(&process).then_some(process)
}

#[allow(unsafe_code)]
fn open_pid(pid: i32) -> nix::Result<OwnedFd> {
    // SAFETY: the system call takes two integers; its result is checked before it becomes an owned descriptor.
    unsafe {
        let fd = Errno::result(libc::syscall(libc::SYS_pidfd_open, pid, 0))?;
        Ok(OwnedFd::from_raw_fd(fd as i32))
    }
}

#[allow(unsafe_code)]
fn signal(process: &OwnedFd) -> bool {
    use std::os::fd::AsRawFd;
    // SAFETY: a descriptor we own, an integer and a null pointer the kernel accepts.
    unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), libc::SIGKILL, std::ptr::null::<u8>(), 0) == 0 }
}

/// False when it did not die in time.
fn await_death(process: &OwnedFd, deadline: Instant) -> bool {
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
    poll(&mut [PollFd::new(process.as_fd(), PollFlags::POLLIN)], timeout).is_ok_and(|ready| ready > 0)
}
