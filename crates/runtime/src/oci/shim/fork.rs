//! Forking a single-threaded process. The child does its work in a copy of the shim's memory and ends without unwinding
//! into the shim's loop, so whatever it allocates or breaks is gone with it.

use nix::errno::Errno;
use nix::unistd::Pid;

/// Runs `work` in a child and returns its pid. The child exits with what `work` returns; a panic exits with 101.
#[allow(unsafe_code)]
pub fn fork(work: impl FnOnce() -> i32) -> nix::Result<Pid> {
    // SAFETY: the shim has one thread, so no lock can be held by anybody else across the fork.
    match unsafe { nix::unistd::fork() }? {
        nix::unistd::ForkResult::Parent { child } => Ok(child),
        nix::unistd::ForkResult::Child => end(work),
    }
}

/// Like `fork`, with namespaces of its own (`CLONE_NEW…`) or with the caller's parent for a parent (`CLONE_PARENT`).
#[allow(unsafe_code)]
pub fn fork_with(flags: libc::c_int, work: impl FnOnce() -> i32) -> nix::Result<Pid> {
    // SAFETY: as above; a null stack makes clone behave like fork, on a copy of this one.
    match Errno::result(unsafe { libc::syscall(libc::SYS_clone, flags | libc::SIGCHLD, 0, 0, 0, 0) })? {
        0 => end(work),
        pid => Ok(Pid::from_raw(pid as i32)),
    }
}

#[allow(unsafe_code)]
fn end(work: impl FnOnce() -> i32) -> ! {
    let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(101);
    // SAFETY: ends the process at once: no destructor or exit handler of the shim may run twice.
    unsafe { libc::_exit(code) }
}

/// The shim protects itself from the kernel's memory killer; a program must not inherit that.
pub fn become_killable() {
    // Refused only where it is higher already and we may not lower it.
    let _ = std::fs::write("/proc/self/oom_score_adj", "0");
}
