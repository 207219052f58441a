//! One agent's connection to the shim: lines in, lines out, never blocking. An agent that reads slowly makes its queue
//! grow, not the shim wait.

use crate::oci::protocol::{Frame, Message, line};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

pub struct Connection {
    stream: UnixStream,
    input: Vec<u8>,
    output: Vec<u8>,
}

/// The other side is gone or speaks nonsense.
pub struct Closed;

impl Connection {
    pub fn new(stream: UnixStream) -> std::io::Result<Connection> {
        stream.set_nonblocking(true)?;
        Ok(Connection { stream, input: Vec::new(), output: Vec::new() })
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    pub fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    pub fn read(&mut self) -> Result<Vec<Frame>, Closed> {
        let mut chunk = [0; 4096];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(Closed),
                Ok(n) => self.input.extend_from_slice(&chunk[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Closed),
            }
        }
        self.frames()
    }

    fn frames(&mut self) -> Result<Vec<Frame>, Closed> {
        let Some(end) = self.input.iter().rposition(|byte| *byte == b'\n') else { return Ok(Vec::new()) };
        let rest = self.input.split_off(end + 1);
        let lines = std::mem::replace(&mut self.input, rest);
        let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).map_err(|_| Closed)).collect()
    }

    pub fn send(&mut self, message: &Message) -> Result<(), Closed> {
        self.output.extend(line(message));
        self.flush()
    }

    pub fn flush(&mut self) -> Result<(), Closed> {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(0) => return Err(Closed),
                Ok(n) => drop(self.output.drain(..n)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Closed),
            }
        }
        // An idle shim keeps no buffers.
        self.output = Vec::new();
        Ok(())
    }

    /// Waits a moment for what is queued to be taken.
    pub fn linger(&mut self) {
        let patience = std::time::Duration::from_secs(1);
        let _ = self.stream.set_nonblocking(false);
        let _ = self.stream.set_write_timeout(Some(patience));
        let _ = self.stream.write_all(&self.output);
    }
}
