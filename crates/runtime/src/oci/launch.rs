//! The last steps before a program runs: find it, load its seccomp filters, shed the capabilities kept for that, execve.
//! Runs inside the container, in a process of its own, and returns only when the program could not be started.

use crate::oci::program::Program;
use crate::oci::seccomp::Filters;
use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction, sigprocmask};
use nix::sys::stat::{SFlag, stat};
use nix::unistd::execve;
use std::ffi::CString;
use std::path::Path;

/// Why it did not start, in runc's words.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("exec: \"{0}\": executable file not found in $PATH")]
    NotInPath(String),
    #[error("exec: \"{0}\": stat {0}: no such file or directory")]
    Missing(String),
    #[error("exec: \"{0}\": is a directory")]
    Directory(String),
    #[error("exec: \"{0}\": permission denied")]
    NotExecutable(String),
    /// Found, and refused by the kernel: another architecture, a missing interpreter.
    #[error("exec {0}: {1}")]
    Execve(String, String),
    #[error("{0}: {1}")]
    System(&'static str, Errno),
}

pub fn launch(program: &Program, filters: &Filters) -> Error {
    match try_launch(program, filters) {
        Err(error) => error,
        Ok(never) => match never {},
    }
}

fn try_launch(program: &Program, filters: &Filters) -> Result<std::convert::Infallible, Error> {
    default_signals().map_err(|errno| Error::System("reset signals", errno))?;
    let path = find(program)?;
    let file = c_string(&path)?;
    let args = program.args.iter().map(|a| c_string(a)).collect::<Result<Vec<_>, _>>()?;
    let environment = program.environment.iter().map(|e| c_string(e)).collect::<Result<Vec<_>, _>>()?;
    filters.load().map_err(|errno| Error::System("load seccomp filter", errno))?;
    keep_capabilities(program.capabilities).map_err(|errno| Error::System("apply caps", errno))?;
    execve(&file, &args, &environment).map_err(|errno| Error::Execve(path, errno_text(errno)))
}

/// Go's and the C library's words for an errno, lower case, as Docker prints them.
pub fn errno_text(errno: Errno) -> String {
    errno.desc().to_lowercase()
}

fn c_string(text: &str) -> Result<CString, Error> {
    CString::new(text).map_err(|_| Error::System("a string with a NUL byte", Errno::EINVAL))
}

/// What the shim ignores or blocks must not be inherited by the program.
#[allow(unsafe_code)]
fn default_signals() -> nix::Result<()> {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGPIPE, Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM, Signal::SIGCHLD] {
        // SAFETY: the default action runs no code of ours.
        unsafe { sigaction(signal, &default)? };
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
}

/// As the container's own root directory and user see it, volumes included.
fn find(program: &Program) -> Result<String, Error> {
    let name = &program.args[0];
    if name.contains('/') {
        return check(name).map(|()| name.clone());
    }
    let path = program.environment.iter().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or_default();
    let candidates = path.split(':').map(|dir| Path::new(if dir.is_empty() { "." } else { dir }).join(name));
    let mut candidates = candidates.map(|path| path.to_string_lossy().into_owned());
    candidates.find(|path| check(path).is_ok()).ok_or_else(|| Error::NotInPath(name.clone()))
}

fn check(path: &str) -> Result<(), Error> {
    let metadata = match stat(path) {
        Ok(metadata) => metadata,
        Err(Errno::EACCES) => return Err(Error::NotExecutable(path.to_owned())),
        Err(_) => return Err(Error::Missing(path.to_owned())),
    };
    let mode = SFlag::from_bits_truncate(metadata.st_mode & SFlag::S_IFMT.bits());
    match (mode, metadata.st_mode & 0o111) {
        (SFlag::S_IFDIR, _) => Err(Error::Directory(path.to_owned())),
        (_, 0) => Err(Error::NotExecutable(path.to_owned())),
        _ => Ok(()),
    }
}

/// Exactly `set` in the bounding, effective and permitted sets, nothing in the others.
fn keep_capabilities(set: u64) -> nix::Result<()> {
    shrink_bounding(set)?;
    clear_ambient()?;
    set_capabilities(set)
}

#[allow(unsafe_code)]
fn shrink_bounding(set: u64) -> nix::Result<()> {
    for capability in (0 as libc::c_ulong..64).filter(|bit| set & (1 << bit) == 0) {
        // SAFETY: integers only.
        match Errno::result(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) }) {
            // Past the kernel's last capability.
            Err(Errno::EINVAL) => break,
            result => result.map(drop)?,
        }
    }
    Ok(())
}

#[allow(unsafe_code)]
fn clear_ambient() -> nix::Result<()> {
    // SAFETY: integers only.
    Errno::result(unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) }).map(drop)
}

#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: i32,
}

/// One 32-bit half of the three sets.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct CapabilityHalf {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// `_LINUX_CAPABILITY_VERSION_3` of linux/capability.h.
const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

#[allow(unsafe_code)]
fn set_capabilities(set: u64) -> nix::Result<()> {
    let header = CapabilityHeader { version: CAPABILITY_VERSION_3, pid: 0 };
    let half = |bits: u32| CapabilityHalf { effective: bits, permitted: bits, inheritable: 0 };
    let halves = [half(set as u32), half((set >> 32) as u32)];
    // SAFETY: both structures have the layout of version 3 of the system call and outlive it.
    Errno::result(unsafe { libc::syscall(libc::SYS_capset, &header, halves.as_ptr()) }).map(drop)
}

/// The capabilities we can hand on at most.
#[allow(unsafe_code)]
pub fn bounding_set() -> u64 {
    // SAFETY: integers only; 1 is "in the set", -1 is past the kernel's last capability.
    let has = |bit: libc::c_ulong| unsafe { libc::prctl(libc::PR_CAPBSET_READ, bit, 0, 0, 0) == 1 };
    (0..64).filter(|bit| has(*bit)).fold(0, |set, bit| set | 1 << bit)
}

/// After a change of user: what the program may have, and what `launch` itself needs.
pub fn raise_capabilities(set: u64) -> nix::Result<()> {
    set_capabilities((set | crate::oci::spec::capability::LAUNCH) & bounding_set())
}
