//! The descriptors between a shim and a program: pipes whose reading ends are ours.

use super::log::Stream;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::pipe2;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use workload::ContainerSpec;

/// The program's ends. All are close-on-exec; they are duplicated onto 0, 1 and 2.
pub struct Theirs {
    pub stdin: Option<OwnedFd>,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

/// `stdin` is never written to: held open, it keeps an interactive program from reading the end of its input.
pub struct Ours {
    pub stdin: Option<OwnedFd>,
    pub outputs: Vec<(Stream, OwnedFd)>,
}

/// With a terminal these are unused: libcontainer connects the program to it and hands us its other side. Output nobody
/// wants goes through a pipe too: libcontainer reopens /dev/null for reading only.
pub fn pipes(container: &ContainerSpec) -> io::Result<(Theirs, Ours)> {
    let (stdin_theirs, stdin_ours) = if container.interactive {
        let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
        (Some(read), Some(write))
    } else {
        (None, None)
    };
    let (stdout_ours, stdout) = output()?;
    let (stderr_ours, stderr) = output()?;
    let outputs = vec![(Stream::Stdout, stdout_ours), (Stream::Stderr, stderr_ours)];
    Ok((Theirs { stdin: stdin_theirs, stdout, stderr }, Ours { stdin: stdin_ours, outputs }))
}

/// A reading end that does not block, and its writing end.
pub fn output() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
    set_nonblocking(&read)?;
    Ok((read, write))
}

pub fn set_nonblocking(fd: &OwnedFd) -> io::Result<()> {
    fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(())
}

pub fn null() -> io::Result<OwnedFd> {
    Ok(File::options().read(true).write(true).open("/dev/null")?.into())
}
