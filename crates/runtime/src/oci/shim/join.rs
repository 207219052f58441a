//! Running one more program inside a running container (a health check, say): a fork of the shim enters the container's
//! cgroup and namespaces and forks again, because a pid namespace is entered by children only. The program is the shim's
//! own child.

use super::fork::{become_killable, fork_with};
use super::report::{Report, Sender};
use super::stdio::null;
use crate::oci::cgroup::Group;
use crate::oci::launch::{self, launch};
use crate::oci::program::Program;
use crate::oci::protocol::Failure;
use crate::oci::seccomp::Filters;
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::unistd::{Gid, Uid, dup2_stderr, dup2_stdin, dup2_stdout, getpid, setgroups, setresgid, setresuid, setsid};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

pub struct Order {
    /// The container's first process.
    pub pid: i32,
    pub group: Group,
    pub program: Program,
    pub output: OwnedFd,
    pub report: Sender,
}

/// The first fork's whole life.
pub fn main(order: Order) -> i32 {
    become_killable();
    // The container's own processes must not look into ours while we are among them with the host's privileges.
    if let Err(errno) = prctl::set_dumpable(false) {
        order.report.send(&Report::Failed(Failure::Start(errno.to_string())));
        return 1;
    }
    let filters = Filters::of(&order.program);
    let entered = enter(&order).and_then(|()| {
        let pid = fork_with(libc::CLONE_PARENT, || become_program(&order, &filters))?;
        order.report.send(&Report::Joined { pid: pid.as_raw() });
        Ok(())
    });
    if let Err(error) = entered {
        order.report.send(&Report::Failed(Failure::Start(error.to_string())));
    }
    0
}

fn enter(order: &Order) -> io::Result<()> {
    let process = open_process(order.pid)?;
    order.group.join(getpid().as_raw())?;
    for limit in &order.program.rlimits {
        set_limit(limit.resource, limit.soft, limit.hard)?;
    }
    let all = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWCGROUP;
    setns(process, all)?;
    Ok(())
}

#[allow(unsafe_code)]
fn open_process(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: the system call takes two integers; its result is checked before it becomes an owned descriptor.
    unsafe { Ok(OwnedFd::from_raw_fd(Errno::result(libc::syscall(libc::SYS_pidfd_open, pid, 0))? as i32)) }
}

#[allow(unsafe_code)]
fn set_limit(resource: u32, soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: `limit` is a valid structure for the kernel to read.
    Errno::result(unsafe { libc::setrlimit(resource, &limit) })?;
    Ok(())
}

fn become_program(order: &Order, filters: &Filters) -> i32 {
    let error = match identity(order) {
        Ok(()) => launch(&order.program, filters).to_string(),
        Err(error) => error.to_string(),
    };
    order.report.send(&Report::Failed(Failure::Start(error)));
    1
}

fn identity(order: &Order) -> io::Result<()> {
    setsid()?;
    dup2_stdin(null()?)?;
    dup2_stdout(&order.output)?;
    dup2_stderr(&order.output)?;
    std::env::set_current_dir(&order.program.working_directory)?;
    // Fails for a directory outside of the container's root, which a link under /proc may have led to.
    std::env::current_dir()?;
    let user = &order.program.user;
    let groups: Vec<Gid> = user.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    setgroups(&groups)?;
    prctl::set_keepcaps(true)?;
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)?;
    launch::raise_capabilities(order.program.capabilities)?;
    if order.program.no_new_privileges {
        prctl::set_no_new_privs()?;
    }
    Ok(())
}
