//! The shim's loop: whoever is ready is handled, one at a time, and every exit is on disk before it is told.

use super::connection::Connection;
use super::container::{Container, Phase, Reply};
use super::exec::Exec;
use super::poller::Poller;
use super::requests;
use crate::oci::cgroup::{Group, Host};
use crate::oci::dir::{Sandbox, remove_file_if_any};
use crate::oci::protocol::{Answer, Failure, Message};
use nix::sys::prctl;
use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{Pid, setsid};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Instant;

pub struct Shim {
    pub sandbox: Sandbox,
    pub logs: PathBuf,
    pub cgroups: Host,
    pub cgroup: String,
    /// Holds the namespaces the containers share, if they do.
    pub pause: Option<Pid>,
    pub containers: BTreeMap<u64, Container>,
    pub execs: BTreeMap<u64, Exec>,
    /// Who has asked for everything while something was starting: an agent that follows one that died must not miss what
    /// that one had begun.
    pub lists: Vec<Reply>,
    pub next_key: u64,
    connections: BTreeMap<u64, Connection>,
    listener: UnixListener,
    pub signals: SignalFd,
    /// Deaths of children nobody has named yet: a program may end before the fork that started it has reported its pid.
    pub unclaimed: BTreeMap<i32, i32>,
    /// An agent has asked for the sandbox. One that was never wanted ends with its first connection.
    pub opened: bool,
    pub closed: bool,
}

#[derive(Clone, Copy)]
enum Source {
    Listener,
    Signals,
    Connection(u64),
    Report(u64),
    Output(u64, usize),
    ExecReport(u64),
    ExecOutput(u64),
}

pub fn main(sandbox: &str, logs: &str, cgroup: &str) -> i32 {
    match open(sandbox, logs, cgroup) {
        Ok(mut shim) => {
            shim.run();
            0
        }
        Err(error) => {
            super::complain(format_args!("{sandbox}: {error}"));
            1
        }
    }
}

/// The agent's first connection is our standard input: it need not wait for the socket to appear.
fn open(sandbox: &str, logs: &str, cgroup: &str) -> io::Result<Shim> {
    let agent = detach()?;
    let sandbox = Sandbox(PathBuf::from(sandbox));
    let mut shim = Shim {
        listener: listen(&sandbox)?,
        signals: child_signals()?,
        cgroups: Host::detect()?,
        sandbox,
        logs: PathBuf::from(logs),
        cgroup: cgroup.to_owned(),
        pause: None,
        containers: BTreeMap::new(),
        execs: BTreeMap::new(),
        lists: Vec::new(),
        next_key: 0,
        connections: BTreeMap::new(),
        unclaimed: BTreeMap::new(),
        opened: false,
        closed: false,
    };
    shim.remember()?;
    shim.connect(UnixStream::from(agent))?;
    Ok(shim)
}

/// Leaves the agent's session, so that no terminal or service manager ends us with it, and becomes the parent of whatever
/// loses its own below us.
#[allow(unsafe_code)]
fn detach() -> io::Result<OwnedFd> {
    setsid()?;
    prctl::set_child_subreaper(true)?;
    for ignored in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM] {
        // SAFETY: no handler of ours runs.
        unsafe { signal(ignored, SigHandler::SigIgn)? };
    }
    // Best effort: it needs CAP_SYS_RESOURCE. The containers' processes are put back to 0.
    let _ = std::fs::write("/proc/self/oom_score_adj", "-999");
    std::env::set_current_dir("/")?;
    // SAFETY: standard input is ours alone and nothing of the standard library has touched it.
    let stdin = unsafe { OwnedFd::from_raw_fd(0) };
    let agent = nix::fcntl::fcntl(&stdin, nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(3))?;
    nix::unistd::dup2_stdin(super::stdio::null()?)?;
    std::mem::forget(stdin);
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(agent) })
}

/// Bound through the directory's descriptor: a socket address holds 107 bytes, a data directory's path may be longer.
fn listen(sandbox: &Sandbox) -> io::Result<UnixListener> {
    remove_file_if_any(&sandbox.socket())?;
    std::env::set_current_dir(&sandbox.0)?;
    let listener = UnixListener::bind("shim.sock")?;
    std::env::set_current_dir("/")?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn child_signals() -> io::Result<SignalFd> {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&mask), None)?;
    Ok(SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?)
}

impl Shim {
    pub fn group(&self, container: &str) -> Group {
        self.cgroups.group(&format!("{}/{container}", self.cgroup))
    }

    pub fn key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key
    }

    /// A shim before us may have died and left records.
    fn remember(&mut self) -> io::Result<()> {
        for (name, record) in self.sandbox.records()? {
            let (dir, group, key) = (self.sandbox.container(&name), self.group(&record.runtime_id), self.key());
            self.containers.insert(key, Container::ended(name, dir, group, record));
        }
        Ok(())
    }

    fn connect(&mut self, stream: UnixStream) -> io::Result<()> {
        let key = self.key();
        self.connections.insert(key, Connection::new(stream)?);
        Ok(())
    }

    fn run(&mut self) {
        while !self.closed {
            for ready in self.wait() {
                self.handle(ready.source, ready.readable, ready.writable);
            }
            self.time_out();
        }
    }

    fn wait(&self) -> Vec<super::poller::Ready<Source>> {
        let mut poller = Poller::new();
        poller.read(self.signals.as_fd(), Source::Signals);
        poller.read(self.listener.as_fd(), Source::Listener);
        for (key, connection) in &self.connections {
            poller.read_and_maybe_write(connection.fd(), connection.has_output(), Source::Connection(*key));
        }
        for (key, container) in &self.containers {
            if let Phase::Starting { report, .. } = &container.phase {
                poller.read(report.fd(), Source::Report(*key));
            }
            // Where there is no room its programs wait, as they do for a slow disk.
            let readable = container.outputs.iter().enumerate().filter(|_| container.log.has_room());
            for (index, output) in readable {
                output.fd.iter().for_each(|fd| poller.read(fd.as_fd(), Source::Output(*key, index)));
            }
        }
        for (key, exec) in &self.execs {
            exec.report.iter().for_each(|report| poller.read(report.fd(), Source::ExecReport(*key)));
            exec.output.iter().for_each(|output| poller.read(output.as_fd(), Source::ExecOutput(*key)));
        }
        poller.wait(self.execs.values().filter_map(Exec::next_deadline).min())
    }

    fn handle(&mut self, source: Source, readable: bool, writable: bool) {
        match source {
            Source::Listener => self.accept(),
            Source::Signals => self.reap(),
            Source::Connection(key) => self.converse(key, readable, writable),
            Source::Report(key) => requests::started(self, key),
            Source::Output(key, index) => self.containers.get_mut(&key).into_iter().for_each(|c| c.pump(index)),
            Source::ExecReport(key) => requests::joined(self, key),
            Source::ExecOutput(key) => self.execs.get_mut(&key).into_iter().for_each(Exec::read_output),
        }
    }

    fn accept(&mut self) {
        if let Ok((stream, _)) = self.listener.accept()
            && let Err(error) = self.connect(stream)
        {
            super::complain(format_args!("accept: {error}"));
        }
    }

    fn converse(&mut self, key: u64, readable: bool, writable: bool) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        if writable && connection.flush().is_err() {
            return self.hang_up(key);
        }
        if !readable {
            return;
        }
        match connection.read() {
            Ok(frames) => frames
                .into_iter()
                .for_each(|frame| requests::handle(self, Reply { connection: key, id: frame.id }, frame.request)),
            Err(_) => self.hang_up(key),
        }
    }

    fn hang_up(&mut self, key: u64) {
        self.connections.remove(&key);
        self.closed |= !self.opened && self.connections.is_empty();
    }

    pub fn reply(&mut self, reply: Reply, answer: Result<Answer, Failure>) {
        self.tell(reply.connection, &Message::Reply { id: reply.id, answer });
    }

    fn tell(&mut self, key: u64, message: &Message) {
        if let Some(connection) = self.connections.get_mut(&key)
            && connection.send(message).is_err()
        {
            self.hang_up(key);
        }
    }

    /// Everybody who is connected hears of an exit.
    pub fn announce(&mut self, message: &Message) {
        for key in self.connections.keys().copied().collect::<Vec<_>>() {
            self.tell(key, message);
        }
    }

    fn time_out(&mut self) {
        let now = Instant::now();
        for exec in self.execs.values_mut().filter(|e| e.next_deadline().is_some_and(|d| d <= now)) {
            exec.time_out();
        }
    }

    /// The last words must reach the agent before the process ends.
    pub fn say_goodbye(&mut self) {
        for (_, mut connection) in std::mem::take(&mut self.connections) {
            connection.linger();
        }
    }
}
