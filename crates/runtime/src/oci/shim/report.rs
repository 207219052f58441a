//! What a fork of the shim tells the shim: lines over a socket, and perhaps the descriptor of a terminal. The end of the
//! stream means that the program runs (its close-on-exec copy of the socket is gone) or that the fork died.

use crate::oci::program::Program;
use crate::oci::protocol::{Failure, line};
use base::Time;
use nix::cmsg_space;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use serde::{Deserialize, Serialize};
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    Started {
        pid: i32,
        at: Time,
        program: Program,
        oom_kills: u64,
    },
    /// The process that becomes an exec's program.
    Joined {
        pid: i32,
    },
    Failed(Failure),
}

/// The fork's end.
pub struct Sender(pub UnixStream);

impl Sender {
    pub fn send(&self, report: &Report) {
        self.send_with(report, None);
    }

    /// Errors are not reported: the shim reads the end of the stream instead.
    pub fn send_with(&self, report: &Report, terminal: Option<RawFd>) {
        let bytes = line(report);
        let terminal: Vec<RawFd> = terminal.into_iter().collect();
        let control = [ControlMessage::ScmRights(&terminal)];
        let control = if terminal.is_empty() { &[][..] } else { &control };
        let mut sent =
            sendmsg::<()>(self.0.as_raw_fd(), &[IoSlice::new(&bytes)], control, MsgFlags::empty(), None).unwrap_or(bytes.len());
        while sent < bytes.len() {
            match sendmsg::<()>(self.0.as_raw_fd(), &[IoSlice::new(&bytes[sent..])], &[], MsgFlags::empty(), None) {
                Ok(n) if n > 0 => sent += n,
                _ => return,
            }
        }
    }
}

/// The shim's end.
pub struct Receiver {
    stream: UnixStream,
    input: Vec<u8>,
    terminal: Option<OwnedFd>,
}

pub struct Finished {
    pub reports: Vec<Report>,
    pub terminal: Option<OwnedFd>,
}

pub fn channel() -> std::io::Result<(Sender, Receiver)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((Sender(theirs), Receiver { stream: ours, input: Vec::new(), terminal: None }))
}

impl Receiver {
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// `Some` once the other side is closed.
    pub fn read(&mut self) -> Option<Finished> {
        loop {
            match self.receive() {
                Ok(0) => return Some(self.finish()),
                Ok(_) => {}
                Err(nix::Error::EAGAIN) => return None,
                Err(nix::Error::EINTR) => {}
                Err(_) => return Some(self.finish()),
            }
        }
    }

    fn receive(&mut self) -> nix::Result<usize> {
        let mut chunk = [0; 4096];
        let (bytes, descriptor) = receive(&self.stream, &mut chunk)?;
        self.terminal = descriptor.or(self.terminal.take());
        self.input.extend_from_slice(&chunk[..bytes]);
        Ok(bytes)
    }

    fn finish(&mut self) -> Finished {
        let lines = self.input.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let reports = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
        self.input = Vec::new();
        Finished { reports, terminal: self.terminal.take() }
    }
}

/// The descriptor that comes with the next bytes, if any.
pub fn receive_descriptor(stream: &UnixStream) -> std::io::Result<Option<OwnedFd>> {
    Ok(receive(stream, &mut [0; 64])?.1)
}

#[allow(unsafe_code)]
fn receive(stream: &UnixStream, chunk: &mut [u8]) -> nix::Result<(usize, Option<OwnedFd>)> {
    let mut space = cmsg_space!(RawFd);
    let mut slices = [IoSliceMut::new(chunk)];
    let message = recvmsg::<()>(stream.as_raw_fd(), &mut slices, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let mut descriptor = None;
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(fds) = control {
            // SAFETY: the kernel has just installed these descriptors for us, and nobody else knows them.
            descriptor = fds.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }).next_back();
        }
    }
    Ok((message.bytes, descriptor))
}
