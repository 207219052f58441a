//! One netlink socket and its dialogue: requests with acknowledgements, questions with answers, dumps. The kernel
//! answers within `send`, so reading never waits. A socket stays in the network namespace it was opened in.

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};
use netlink_sys::SocketAddr;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use std::io;
use std::os::fd::AsFd;

const HEADER: usize = 16;
const ERROR: u16 = libc::NLMSG_ERROR as u16;
const DONE: u16 = libc::NLMSG_DONE as u16;
/// The kernel brings links up in the background within milliseconds, unless it is in trouble.
const CHANGE_TIMEOUT_MS: u16 = 5000;
/// `NLMSGERR_ATTR_MSG` of linux/netlink.h: the kernel's own sentence about a refusal.
const ERROR_MESSAGE: u16 = 1;

#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("{0}")]
    Socket(#[from] io::Error),
    #[error("{}{}", io::Error::from_raw_os_error(*errno), said.as_ref().map(|s| format!(" ({s})")).unwrap_or_default())]
    Refused { errno: i32, said: Option<String> },
    #[error("the kernel's answer is cut short")]
    Garbled,
}

impl Fault {
    pub fn is(&self, wanted: i32) -> bool {
        matches!(self, Fault::Refused { errno, .. } if *errno == wanted)
    }
}

/// One message before it has a sequence number.
#[derive(Debug)]
pub struct Frame {
    pub kind: u16,
    pub flags: u16,
    pub body: Vec<u8>,
}

pub struct Socket {
    socket: netlink_sys::Socket,
    sequence: u32,
}

struct Reply {
    kind: u16,
    sequence: u32,
    flags: u16,
    body: Vec<u8>,
}

impl Socket {
    /// In the calling thread's network namespace.
    pub fn open(protocol: i32) -> io::Result<Socket> {
        let mut socket = netlink_sys::Socket::new(protocol as isize)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_non_blocking(true)?;
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        Ok(Socket { socket, sequence: 0 })
    }

    /// Sends all frames in one datagram. Those that carry `NLM_F_ACK` must be acknowledged, none may be refused.
    pub fn request(&mut self, frames: &[Frame]) -> Result<(), Fault> {
        let first = self.sequence.wrapping_add(1);
        self.send(frames)?;
        let mut missing = frames.iter().filter(|frame| frame.flags & NLM_F_ACK != 0).count();
        for reply in self.drain()? {
            if reply.kind == ERROR && reply.sequence.wrapping_sub(first) < frames.len() as u32 {
                reply.refusal()?;
                missing = missing.saturating_sub(1);
            }
        }
        if missing == 0 { Ok(()) } else { Err(Fault::Garbled) }
    }

    /// The bodies of all answers to one question.
    pub fn ask(&mut self, mut frame: Frame) -> Result<Vec<Vec<u8>>, Fault> {
        frame.flags |= if frame.flags & NLM_F_DUMP == 0 { NLM_F_ACK } else { 0 };
        let frames = [frame];
        self.send(&frames)?;
        let mut bodies = Vec::new();
        for reply in self.drain()?.into_iter().filter(|reply| reply.sequence == self.sequence) {
            match reply.kind {
                ERROR | DONE => reply.refusal()?,
                _ => bodies.push(reply.body),
            }
        }
        Ok(bodies)
    }

    fn send(&mut self, frames: &[Frame]) -> Result<(), Fault> {
        let mut bytes = Vec::new();
        for frame in frames {
            self.sequence = self.sequence.wrapping_add(1);
            write_frame(&mut bytes, frame, self.sequence);
        }
        self.socket.send(&bytes, 0)?;
        Ok(())
    }

    fn drain(&self) -> Result<Vec<Reply>, Fault> {
        let mut replies = Vec::new();
        loop {
            match self.socket.recv_from_full() {
                Ok((bytes, _)) => split(&bytes, &mut replies)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(replies),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Reply {
    fn refusal(&self) -> Result<(), Fault> {
        let Some(code) = self.body.first_chunk() else { return Err(Fault::Garbled) };
        match i32::from_ne_bytes(*code) {
            0 => Ok(()),
            code => Err(Fault::Refused { errno: -code, said: self.said() }),
        }
    }

    /// The attributes stand behind the code and the request's header, which is all of it that comes back.
    fn said(&self) -> Option<String> {
        if self.flags & libc::NLM_F_ACK_TLVS as u16 == 0 {
            return None;
        }
        let text = attributes(self.body.get(4 + HEADER..)?).find(|(kind, _)| *kind == ERROR_MESSAGE)?.1;
        Some(String::from_utf8_lossy(text).trim_end_matches('\0').to_owned())
    }
}

/// Hears of every change to the links of the namespace it was opened in.
pub struct LinkChanges(netlink_sys::Socket);

impl LinkChanges {
    pub fn subscribe() -> io::Result<LinkChanges> {
        let mut socket = netlink_sys::Socket::new(libc::NETLINK_ROUTE as isize)?;
        socket.bind_auto()?;
        socket.add_membership(libc::RTNLGRP_LINK)?;
        Ok(LinkChanges(socket))
    }

    /// The next change; an error when there is none for long.
    pub fn next(&self) -> io::Result<()> {
        let mut descriptors = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        if nix::poll::poll(&mut descriptors, PollTimeout::from(CHANGE_TIMEOUT_MS))? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match self.0.recv_from_full() {
            // So many that some were lost: a change, then.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => Ok(()),
            other => other.map(drop),
        }
    }
}

fn write_frame(bytes: &mut Vec<u8>, frame: &Frame, sequence: u32) {
    bytes.extend(((HEADER + frame.body.len()) as u32).to_ne_bytes());
    bytes.extend(frame.kind.to_ne_bytes());
    bytes.extend((frame.flags | NLM_F_REQUEST).to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(0u32.to_ne_bytes());
    bytes.extend(&frame.body);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

fn split(mut bytes: &[u8], replies: &mut Vec<Reply>) -> Result<(), Fault> {
    while !bytes.is_empty() {
        let length = u32_at(bytes, 0).ok_or(Fault::Garbled)? as usize;
        let message = bytes.get(..length).filter(|message| message.len() >= HEADER).ok_or(Fault::Garbled)?;
        replies.push(Reply {
            kind: u16::from_ne_bytes([message[4], message[5]]),
            flags: u16::from_ne_bytes([message[6], message[7]]),
            sequence: u32_at(message, 8).ok_or(Fault::Garbled)?,
            body: message[HEADER..].to_vec(),
        });
        bytes = &bytes[length.next_multiple_of(4).min(bytes.len())..];
    }
    Ok(())
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// Kind (without the nested and byte-order flags) and value of each attribute.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(*bytes.first_chunk()?));
        let kind = u16::from_ne_bytes(*bytes.get(2..)?.first_chunk()?) & 0x3fff;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// One attribute, padded.
pub fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + value.len().next_multiple_of(4));
    bytes.extend(((4 + value.len()) as u16).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// An attribute made of attributes.
pub fn nest(kind: u16, inner: &[Vec<u8>]) -> Vec<u8> {
    attribute(kind | libc::NLA_F_NESTED as u16, &inner.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_read_back_as_written() {
        let bytes = [attribute(3, b"abc"), nest(5, &[attribute(1, &[7])])].concat();
        let read: Vec<(u16, Vec<u8>)> = attributes(&bytes).map(|(kind, value)| (kind, value.to_vec())).collect();
        assert_eq!(read, [(3, b"abc".to_vec()), (5, vec![5, 0, 1, 0, 7, 0, 0, 0])]);
    }

    #[test]
    fn a_cut_answer_is_an_error() {
        let whole = {
            let mut bytes = Vec::new();
            write_frame(&mut bytes, &Frame { kind: ERROR, flags: 0, body: vec![0; 4] }, 1);
            bytes
        };
        for cut in 1..whole.len() {
            assert!(split(&whole[..cut], &mut Vec::new()).is_err(), "{cut}");
        }
        assert!(split(&whole, &mut Vec::new()).is_ok());
    }
}
