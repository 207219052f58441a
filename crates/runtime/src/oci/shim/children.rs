//! Children: who died, what that means, and how to end them all.

use super::container::Phase;
use super::exec::Exec;
use super::poller::Poller;
use super::server::Shim;
use crate::memory;
use crate::oci::protocol::{Answer, Message};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// A killed process that is not dead by then hangs in the kernel (a dead network file system, say).
const DEATH_TIMEOUT: Duration = Duration::from_secs(10);

impl Shim {
    pub fn reap(&mut self) {
        while let Ok(Some(_)) = self.signals.read_signal() {}
        while self.reap_one() == Reaped::Some {}
        // Without a fork in flight, nobody can name these any more.
        if !self.is_starting() && self.execs.values().all(|e| e.report.is_none()) {
            self.unclaimed.clear();
        }
    }

    pub fn is_starting(&self) -> bool {
        self.containers.values().any(|c| matches!(c.phase, Phase::Starting { .. }))
    }

    fn reap_one(&mut self) -> Reaped {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => self.died(pid.as_raw(), code),
            Ok(WaitStatus::Signaled(pid, signal, _)) => self.died(pid.as_raw(), 128 + signal as i32),
            Ok(WaitStatus::StillAlive) => return Reaped::StillAlive,
            Err(Errno::ECHILD) => return Reaped::Childless,
            _ => {}
        }
        Reaped::Some
    }

    fn died(&mut self, pid: i32, code: i32) {
        let container = self.containers.iter().find(|(_, c)| c.pid() == Some(pid)).map(|(key, _)| *key);
        let exec = self.execs.iter().find(|(_, e)| e.pid() == Some(pid)).map(|(key, _)| *key);
        match (container, exec) {
            (Some(key), _) => self.container_ended(key, code),
            (_, Some(key)) => self.exec_ended(key, code),
            _ => drop(self.unclaimed.insert(pid, code)),
        }
    }

    /// The fork has named its program: it may be dead already.
    pub fn claim(&mut self, pid: i32) {
        if let Some(code) = self.unclaimed.remove(&pid) {
            self.died(pid, code);
        }
    }

    fn container_ended(&mut self, key: u64, code: i32) {
        let Some(container) = self.containers.get_mut(&key) else { return };
        let (name, runtime_id) = (container.name.clone(), container.runtime_id.clone());
        if let Some(exit) = container.end(code) {
            self.announce(&Message::Exited { container: name, runtime_id, exit });
        }
        memory::trim();
    }

    fn exec_ended(&mut self, key: u64, code: i32) {
        if let Some(exec) = self.execs.get_mut(&key) {
            exec.exited(code);
        }
        self.answer_exec(key);
    }

    pub fn answer_exec(&mut self, key: u64) {
        let Some(end) = self.execs.get(&key).and_then(Exec::end) else { return };
        if let Some(exec) = self.execs.remove(&key) {
            self.reply(exec.reply, Ok(Answer::Exec(end)));
        }
    }

    /// Kills all there is below us and waits until it is gone, or until what is left hangs in the kernel.
    pub fn end_everything(&mut self) {
        loop {
            self.cgroups.group(&self.cgroup).send_kill();
            kill_children();
            match self.reap_one() {
                Reaped::Some => {}
                Reaped::Childless => return,
                Reaped::StillAlive => {
                    let mut poller = Poller::new();
                    poller.read(self.signals.as_fd(), ());
                    if poller.wait(Some(Instant::now() + DEATH_TIMEOUT)).is_empty() {
                        return;
                    }
                    while let Ok(Some(_)) = self.signals.read_signal() {}
                }
            }
        }
    }
}

#[derive(PartialEq)]
enum Reaped {
    Some,
    StillAlive,
    Childless,
}

fn kill_children() {
    let text = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    for pid in text.split_whitespace().filter_map(|pid| pid.parse().ok()) {
        // Not reaped by us, so the pid is still theirs.
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}
