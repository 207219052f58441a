//! One container as the shim holds it, from the fork that starts it to the record of its end.

use super::log::{Lines, Log, Stream};
use super::report::Receiver;
use crate::Exit;
use crate::oci::cgroup::Group;
use crate::oci::dir;
use crate::oci::program::Program;
use crate::oci::protocol::State;
use base::{Clock, SystemClock, Time};
use nix::errno::Errno;
use nix::unistd::read;
use std::os::fd::OwnedFd;

/// Whom to answer.
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    pub connection: u64,
    pub id: u64,
}

pub struct Container {
    pub name: String,
    pub runtime_id: String,
    pub dir: dir::Container,
    pub group: Group,
    pub phase: Phase,
    pub outputs: Vec<Output>,
    /// Held open for an interactive program.
    pub stdin: Option<OwnedFd>,
    pub log: Log,
    /// For execs: same identity, other arguments.
    pub program: Program,
    /// Before it started: a restart uses the same cgroup.
    pub oom_kills: u64,
}

pub enum Phase {
    Starting { report: Receiver, reply: Reply },
    Running { pid: i32, started_at: Time },
    Ended { started_at: Time, exit: Exit },
}

pub struct Output {
    /// `None` once the other side was closed.
    pub fd: Option<OwnedFd>,
    lines: Lines,
}

impl Output {
    pub fn new(stream: Stream, fd: OwnedFd) -> Output {
        Output { fd: Some(fd), lines: Lines::new(stream) }
    }
}

impl Container {
    pub fn ended(name: String, dir: dir::Container, group: Group, record: dir::Record) -> Container {
        let exit = record.exit.unwrap_or(Exit { code: LOST, oom_killed: false, at: SystemClock.now() });
        Container {
            name,
            runtime_id: record.runtime_id,
            dir,
            group,
            phase: Phase::Ended { started_at: record.started_at, exit },
            outputs: Vec::new(),
            stdin: None,
            log: Log::Discard,
            program: Program::default(),
            oom_kills: 0,
        }
    }

    pub fn pid(&self) -> Option<i32> {
        match self.phase {
            Phase::Running { pid, .. } => Some(pid),
            _ => None,
        }
    }

    /// `None` while it starts.
    pub fn state(&self) -> Option<State> {
        let (started_at, exit) = match &self.phase {
            Phase::Starting { .. } => return None,
            Phase::Running { started_at, .. } => (*started_at, None),
            Phase::Ended { started_at, exit } => (*started_at, Some(exit.clone())),
        };
        Some(State { container: self.name.clone(), runtime_id: self.runtime_id.clone(), started_at, exit })
    }

    /// Reads what one output has and logs it; closes it at its end.
    pub fn pump(&mut self, index: usize) {
        if let Some(output) = self.outputs.get_mut(index) {
            output.pump(&mut self.log);
        }
    }

    /// All that is in the pipes now. Whoever still holds the other side has escaped the container and is not waited for.
    pub fn drain(&mut self) {
        for mut output in std::mem::take(&mut self.outputs) {
            for _ in 0..PIPE_READS {
                if output.pump(&mut self.log) != Flow::More {
                    break;
                }
            }
            output.finish(&mut self.log);
        }
        self.log = Log::Discard;
        self.stdin = None;
    }

    /// Writes the exit down; only then may anybody hear of it.
    pub fn end(&mut self, code: i32) -> Option<Exit> {
        let Phase::Running { started_at, .. } = self.phase else { return None };
        self.drain();
        let oom_killed = self.group.oom_kills() > self.oom_kills;
        // Without a pid namespace of its own, its children outlive it.
        self.group.kill();
        self.group.try_remove();
        let exit = Exit { code, oom_killed, at: SystemClock.now() };
        if let Err(error) = self.dir.exited(&exit) {
            super::complain(format_args!("{}: cannot record exit {}: {error}", self.name, exit.code));
        }
        self.phase = Phase::Ended { started_at, exit: exit.clone() };
        Some(exit)
    }
}

/// What a pipe holds, unless a program makes it larger.
const READ_BYTES: usize = 64 * 1024;
/// Empties the largest pipe an unprivileged program can make (1 MiB).
const PIPE_READS: usize = 64;

/// The exit code of a container nobody saw end.
pub const LOST: i32 = 137;

#[derive(PartialEq)]
enum Flow {
    More,
    Empty,
    End,
}

impl Output {
    fn pump(&mut self, log: &mut Log) -> Flow {
        let Some(fd) = &self.fd else { return Flow::End };
        let mut chunk = [0; READ_BYTES];
        match read(fd, &mut chunk) {
            Ok(n) if n > 0 => {
                let mut entries = Vec::with_capacity(n + n / 2);
                self.lines.feed(&chunk[..n], SystemClock.now(), &mut entries);
                log.write(&entries);
                Flow::More
            }
            Err(Errno::EAGAIN) => Flow::Empty,
            Err(Errno::EINTR) => Flow::More,
            // The end; EIO when the last program on a terminal is gone.
            _ => {
                self.fd = None;
                self.finish(log);
                Flow::End
            }
        }
    }

    fn finish(&mut self, log: &mut Log) {
        let mut entries = Vec::new();
        self.lines.finish(SystemClock.now(), &mut entries);
        log.write(&entries);
    }
}
