//! The process whose pid and IPC namespaces a task's containers share when the definition says so. Reaps whatever loses
//! its parent in there, as the first process of a pid namespace must, and does nothing else.

use super::fork::fork_with;
use crate::oci::cgroup::Group;
use crate::oci::cgroup::limits::Limits;
use crate::oci::protocol::Opening;
use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, execv, setsid};
use std::io;

/// `slipway shim pause`.
pub fn main() -> i32 {
    let mut deaths = SigSet::empty();
    deaths.add(Signal::SIGCHLD);
    if sigprocmask(SigmaskHow::SIG_BLOCK, Some(&deaths), None).is_err() {
        return 1;
    }
    loop {
        while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            if status == WaitStatus::StillAlive {
                break;
            }
        }
        if deaths.wait() == Err(Errno::EINVAL) {
            return 1;
        }
    }
}

/// In a group of its own below the task's: a version 2 group with children takes no processes.
pub fn spawn(opening: &Opening, group: &Group) -> io::Result<Pid> {
    group.create(&Limits::default())?;
    let pid_flag = if opening.share_pid { libc::CLONE_NEWPID } else { 0 };
    let ipc_flag = if opening.share_ipc { libc::CLONE_NEWIPC } else { 0 };
    let pid = fork_with(pid_flag | ipc_flag, || {
        let _ = setsid();
        let _ = execv(c"/proc/self/exe", &[c"slipway", c"shim", c"pause"]);
        1
    })?;
    group.join(pid.as_raw())?;
    Ok(pid)
}
