//! One exec as the shim holds it: output captured up to a limit, ended by its program or by its deadline.

use super::container::Reply;
use super::report::{Finished, Receiver, Report};
use crate::ExecEnd;
use crate::oci::protocol::Failure;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, read};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

/// Docker keeps as much of a health check's output.
const CAPTURED_BYTES: usize = 4096;
/// Docker's code for a command that could not be executed.
const NOT_EXECUTED: i32 = 127;

pub struct Exec {
    pub reply: Reply,
    pub report: Option<Receiver>,
    pub output: Option<OwnedFd>,
    pub deadline: Instant,
    pid: Option<i32>,
    captured: Vec<u8>,
    failure: Option<String>,
    timed_out: bool,
    code: Option<i32>,
}

impl Exec {
    pub fn new(reply: Reply, report: Receiver, output: OwnedFd, deadline: Instant) -> Exec {
        Exec {
            reply,
            report: Some(report),
            output: Some(output),
            deadline,
            pid: None,
            captured: Vec::new(),
            failure: None,
            timed_out: false,
            code: None,
        }
    }

    pub fn pid(&self) -> Option<i32> {
        self.pid
    }

    /// Past its deadline there is nothing to wait for but its death.
    pub fn next_deadline(&self) -> Option<Instant> {
        (!self.timed_out).then_some(self.deadline)
    }

    /// The forks are done: the program runs or never will.
    pub fn started(&mut self, finished: Finished) {
        self.report = None;
        for report in finished.reports {
            match report {
                Report::Joined { pid } => self.pid = Some(pid),
                Report::Failed(Failure::Start(text)) => self.failure = Some(text),
                _ => {}
            }
        }
        if self.pid.is_none() && self.failure.is_none() {
            self.failure = Some("the process was killed".to_owned());
        }
        if self.timed_out {
            self.kill();
        }
    }

    pub fn time_out(&mut self) {
        self.timed_out = true;
        self.kill();
    }

    /// It leads a session and a group of its own, with what it started.
    fn kill(&self) {
        if let Some(pid) = self.pid.filter(|_| self.code.is_none()) {
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }

    pub fn exited(&mut self, code: i32) {
        while self.pump() {}
        self.output = None;
        self.code = Some(code);
    }

    pub fn read_output(&mut self) {
        self.pump();
    }

    /// False once nothing more is there to be read now. What is past the limit is read and dropped.
    fn pump(&mut self) -> bool {
        let Some(output) = &self.output else { return false };
        let mut chunk = [0; 4096];
        match read(output.as_fd(), &mut chunk) {
            Ok(n) if n > 0 => {
                let room = CAPTURED_BYTES - self.captured.len();
                self.captured.extend_from_slice(&chunk[..n.min(room)]);
                true
            }
            Err(Errno::EINTR) => true,
            Err(Errno::EAGAIN) => false,
            _ => {
                self.output = None;
                false
            }
        }
    }

    /// How it ended, if it has.
    pub fn end(&self) -> Option<ExecEnd> {
        if self.report.is_some() {
            return None;
        }
        if let Some(text) = &self.failure {
            let output = format!("OCI runtime exec failed: exec failed: unable to start container process: {text}: unknown");
            return Some(ExecEnd { code: (!self.timed_out).then_some(NOT_EXECUTED), output });
        }
        let code = self.code?;
        let output = String::from_utf8_lossy(&self.captured).into_owned();
        Some(ExecEnd { code: (!self.timed_out).then_some(code), output })
    }
}
