//! What an agent can ask of a shim, one function each.

use super::container::{Container, Output, Phase, Reply};
use super::exec::Exec;
use super::fork::fork;
use super::log::{Log, Stream};
use super::report::{Report, channel};
use super::server::Shim;
use super::{join, pause, start, stdio};
use crate::memory;
use crate::oci::cgroup::limits::Limits;
use crate::oci::dir;
use crate::oci::program::Program;
use crate::oci::protocol::{Answer, Failure, Opening, Request};
use crate::oci::spec;
use crate::{ContainerRun, ExecSpec, Started};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::io;
use std::time::Instant;

pub fn handle(shim: &mut Shim, reply: Reply, request: Request) {
    let answer = match request {
        Request::Open(opening) => open(shim, &opening).map(|()| Answer::Done).map_err(|e| Failure::other("open sandbox", e)),
        // These two are answered when what they begin is done.
        Request::Start(run) => match begin_start(shim, reply, *run) {
            Ok(()) => return,
            Err(failure) => Err(failure),
        },
        Request::Exec { container, exec } => match begin_exec(shim, reply, &container, exec) {
            Ok(()) => return,
            Err(failure) => Err(failure),
        },
        Request::Signal { container, signal } => deliver(shim, &container, signal).map(|()| Answer::Done),
        Request::Remove { container } => remove(shim, &container).map(|()| Answer::Done),
        Request::List if shim.is_starting() => return shim.lists.push(reply),
        Request::List => Ok(list(shim)),
        Request::LogsTaken { container, upto } => {
            logs_taken(shim, &container, upto);
            Ok(Answer::Done)
        }
        Request::Close => close(shim).map(|()| Answer::Done),
    };
    shim.reply(reply, answer);
    if shim.closed {
        shim.say_goodbye();
    }
}

fn open(shim: &mut Shim, opening: &Opening) -> io::Result<()> {
    shim.opened = true;
    shim.cgroups.group(&shim.cgroup).create(&Limits::of_task(opening))?;
    if (opening.share_pid || opening.share_ipc) && shim.pause.is_none() {
        if opening.share_ipc {
            mount_shared_memory(&shim.sandbox)?;
        }
        shim.pause = Some(pause::spawn(opening, &shim.group("pause"))?);
    }
    Ok(())
}

/// The one mount of ours on the host: it must outlive any single container of the task.
fn mount_shared_memory(sandbox: &dir::Sandbox) -> io::Result<()> {
    let target = sandbox.shared_memory();
    std::fs::create_dir_all(&target)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("shm"), &target, Some("tmpfs"), flags, Some("mode=1777,size=64m"))?;
    Ok(())
}

fn begin_start(shim: &mut Shim, reply: Reply, run: ContainerRun) -> Result<(), Failure> {
    let name = run.id.container.clone();
    if shim.containers.values().any(|c| c.name == name) {
        return Err(Failure::Create(format!("Conflict. The container name \"/{name}\" is already in use")));
    }
    let container = fork_start(shim, reply, run).map_err(|e| Failure::other(&format!("start {name}"), e))?;
    let key = shim.key();
    shim.containers.insert(key, container);
    Ok(())
}

fn fork_start(shim: &mut Shim, reply: Reply, run: ContainerRun) -> io::Result<Container> {
    let definition = spec::definition(&run).map_err(io::Error::other)?;
    let log = Log::open(shim.logs.join(format!("{}.log", run.id.container)), &definition.log)?;
    let (theirs, ours) = stdio::pipes(definition)?;
    let (sender, receiver) = channel()?;
    let (dir, group) = (shim.sandbox.container(&run.id.container), shim.group(&run.runtime_id));
    let outputs = if definition.pseudo_terminal { Vec::new() } else { ours.outputs };
    let container = Container {
        name: run.id.container.clone(),
        runtime_id: run.runtime_id.clone(),
        dir: dir.clone(),
        group: group.clone(),
        phase: Phase::Starting { report: receiver, reply },
        outputs: outputs.into_iter().map(|(stream, fd)| Output::new(stream, fd)).collect(),
        stdin: ours.stdin,
        log,
        program: Program::default(),
        oom_kills: 0,
    };
    let pause = shim.pause.map(|pid| pid.as_raw());
    let order = start::Order { run, sandbox: shim.sandbox.clone(), dir, group, pause, stdio: theirs, report: sender };
    fork(|| start::main(order))?;
    Ok(container)
}

fn list(shim: &Shim) -> Answer {
    Answer::List(shim.containers.values().filter_map(Container::state).collect())
}

/// The starting fork has reported, or died.
pub fn started(shim: &mut Shim, key: u64) {
    end_start(shim, key);
    if !shim.is_starting() {
        let answer = list(shim);
        std::mem::take(&mut shim.lists).into_iter().for_each(|reply| shim.reply(reply, Ok(answer.clone())));
    }
}

fn end_start(shim: &mut Shim, key: u64) {
    let Some(container) = shim.containers.get_mut(&key) else { return };
    let Phase::Starting { report, reply } = &mut container.phase else { return };
    let reply = *reply;
    let Some(finished) = report.read() else { return };
    let failure = match finished.reports.into_iter().next_back() {
        Some(Report::Started { pid, at, program, oom_kills }) => {
            (container.program, container.oom_kills) = (program, oom_kills);
            container.phase = Phase::Running { pid, started_at: at };
            if let Some(terminal) = finished.terminal
                && stdio::set_nonblocking(&terminal).is_ok()
            {
                container.outputs.push(Output::new(Stream::Stdout, terminal));
            }
            if let Err(error) = container.dir.started(&container.runtime_id, at) {
                super::complain(format_args!("{}: cannot record the start: {error}", container.name));
            }
            shim.reply(reply, Ok(Answer::Started(Started { pid, at })));
            shim.claim(pid);
            return memory::trim();
        }
        Some(Report::Failed(failure)) => failure,
        _ => Failure::Start(start::runc("the process that starts containers was killed")),
    };
    if let Some(mut container) = shim.containers.remove(&key) {
        // The fork clears up after itself, unless it was killed.
        container.group.kill();
        let _ = container.group.remove();
        container.drain();
    }
    shim.reply(reply, Err(failure));
    memory::trim();
}

fn find<'a>(shim: &'a Shim, name: &str) -> Result<(u64, &'a Container), Failure> {
    shim.containers.iter().find(|(_, c)| c.name == name).map(|(key, c)| (*key, c)).ok_or(Failure::NoSuchContainer)
}

/// To a container that has ended, nothing is delivered, and that is what was wanted of the signal.
#[allow(unsafe_code)]
fn deliver(shim: &Shim, name: &str, signal: i32) -> Result<(), Failure> {
    let Some(pid) = find(shim, name)?.1.pid() else { return Ok(()) };
    // SAFETY: integers only. Not nix's kill: real-time signals are signals too. The pid is that of a child we have not
    // reaped, so it cannot have become somebody else's.
    match nix::errno::Errno::result(unsafe { libc::kill(pid, signal) }) {
        Ok(_) => Ok(()),
        Err(errno) => Err(Failure::other(&format!("signal {signal} to {name}"), errno)),
    }
}

fn begin_exec(shim: &mut Shim, reply: Reply, name: &str, exec: ExecSpec) -> Result<(), Failure> {
    let container = find(shim, name)?.1;
    let pid = container.pid().ok_or_else(|| Failure::Other(format!("container {name} is not running")))?;
    let program = Program { args: exec.command, ..container.program.clone() };
    if program.args.is_empty() {
        return Err(Failure::Other("no command specified".to_owned()));
    }
    let group = container.group.clone();
    let failed = |error: io::Error| Failure::other(&format!("exec in {name}"), error);
    let (ours, theirs) = stdio::output().map_err(failed)?;
    let (sender, receiver) = channel().map_err(failed)?;
    let order = join::Order { pid, group, program, output: theirs, report: sender };
    fork(|| join::main(order)).map_err(|e| failed(e.into()))?;
    let key = shim.key();
    shim.execs.insert(key, Exec::new(reply, receiver, ours, Instant::now() + exec.timeout));
    Ok(())
}

pub fn joined(shim: &mut Shim, key: u64) {
    let Some(exec) = shim.execs.get_mut(&key) else { return };
    let Some(finished) = exec.report.as_mut().and_then(|report| report.read()) else { return };
    exec.started(finished);
    if let Some(pid) = exec.pid() {
        shim.claim(pid);
    }
    shim.answer_exec(key);
    memory::trim();
}

fn remove(shim: &mut Shim, name: &str) -> Result<(), Failure> {
    let Ok((key, container)) = find(shim, name) else { return Ok(()) };
    if !matches!(container.phase, Phase::Ended { .. }) {
        return Err(Failure::Other(format!("container {name} is running")));
    }
    container.group.remove().map_err(|e| Failure::other("remove cgroup", e))?;
    container.dir.forget().map_err(|e| Failure::other("forget", e))?;
    shim.containers.remove(&key);
    Ok(())
}

/// What was removed meanwhile needs no room.
fn logs_taken(shim: &mut Shim, name: &str, upto: u64) {
    shim.containers.values_mut().filter(|c| c.name == name).for_each(|c| c.log.taken(upto));
}

fn close(shim: &mut Shim) -> Result<(), Failure> {
    shim.end_everything();
    if shim.sandbox.shared_memory().exists() {
        let _ = umount2(&shim.sandbox.shared_memory(), MntFlags::MNT_DETACH);
    }
    shim.cgroups.group(&shim.cgroup).remove().map_err(|e| Failure::other("remove cgroup", e))?;
    shim.closed = true;
    Ok(())
}
