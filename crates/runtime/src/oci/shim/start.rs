//! Starting one container, in a fork of the shim: cgroup, root file system, compiled document, libcontainer. The
//! container's first process becomes the shim's own child, so that the shim sees it end; the fork reports and is gone.

use super::executor::Launcher;
use super::fork::{become_killable, fork_with};
use super::report::{Report, Sender};
use super::stdio::Theirs;
use super::{facts, rootfs};
use crate::ContainerRun;
use crate::oci::cgroup::limits::Limits;
use crate::oci::cgroup::{Group, devices, moves};
use crate::oci::dir::{Container, Sandbox};
use crate::oci::program::Program;
use crate::oci::protocol::Failure;
use crate::oci::spec::{self, mounts};
use base::{Clock, SystemClock};
use libcontainer::container::Container as LibContainer;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use nix::fcntl::OFlag;
use nix::unistd::{Gid, Uid, fchown, pipe2};
use oci_spec::runtime::Spec;
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;

pub struct Order {
    pub run: ContainerRun,
    pub sandbox: Sandbox,
    pub dir: Container,
    pub group: Group,
    /// Whose namespaces the task's containers share.
    pub pause: Option<i32>,
    pub stdio: Theirs,
    pub report: Sender,
}

/// The fork's whole life.
pub fn main(order: Order) -> i32 {
    become_killable();
    match start(&order.run, &order.sandbox, &order.dir, &order.group, order.pause, order.stdio) {
        Ok(started) => {
            let terminal = started.terminal.as_ref().map(AsRawFd::as_raw_fd);
            order.report.send_with(&started.report, terminal);
            0
        }
        Err(failure) => {
            order.group.kill();
            let _ = order.group.remove();
            order.report.send(&Report::Failed(failure));
            1
        }
    }
}

struct Started {
    report: Report,
    terminal: Option<OwnedFd>,
}

fn start(
    run: &ContainerRun,
    sandbox: &Sandbox,
    dir: &Container,
    group: &Group,
    pause: Option<i32>,
    stdio: Theirs,
) -> Result<Started, Failure> {
    let definition = spec::definition(run).map_err(failure)?;
    group.create(&Limits::of_container(definition)).map_err(|e| Failure::other("create cgroup", e))?;
    open_the_way(group);
    let oom_kills = group.oom_kills();
    let compiled = prepare(run, sandbox, dir, group, pause)?;
    group.restrict_devices(&devices::default_and(compiled.devices)).map_err(|e| Failure::other("restrict devices", e))?;
    let started = execute(&run.runtime_id, dir, &compiled.spec, compiled.program.clone(), stdio)?;
    let report = Report::Started { pid: started.0, at: SystemClock.now(), program: compiled.program, oom_kills };
    Ok(Started { report, terminal: started.1 })
}

/// Beside all that is still to be prepared, in a child of the shim that is gone when the container moves.
fn open_the_way(group: &Group) {
    let host = group.host().clone();
    let _ = fork_with(libc::CLONE_PARENT, move || {
        moves::open_the_way(&host);
        0
    });
}

fn failure(error: spec::Error) -> Failure {
    match error {
        spec::Error::Create(text) => Failure::Create(text),
        spec::Error::Start(text) => Failure::Start(text),
    }
}

/// Everything up to the document: afterwards only libcontainer is missing.
fn prepare(
    run: &ContainerRun,
    sandbox: &Sandbox,
    dir: &Container,
    group: &Group,
    pause: Option<i32>,
) -> Result<spec::Compiled, Failure> {
    let failed = |what: &'static str| move |error: io::Error| Failure::Start(format!("{what}: {error}"));
    dir.prepare(run.again).map_err(failed("make the container's directory"))?;
    rootfs::leave_host(dir).map_err(failed("make a mount namespace"))?;
    rootfs::mount_overlay(dir, &run.image.layers).map_err(failed("mount the image"))?;
    let mut host = facts::gather(run, sandbox, dir, group, pause);
    host.cgroup_view = rootfs::cgroup_view(dir, group).map_err(failed("show cgroups"))?;
    let compiled = spec::spec(run, &host).map_err(failure)?;
    write_files(run, dir).map_err(failed("write the container's files"))?;
    rootfs::write_private_files(dir, &run.files, &compiled.program.user)
        .map_err(failed("write the container's private files"))?;
    rootfs::make_directory(&host.rootfs, &compiled.program.working_directory).map_err(failed("make the working directory"))?;
    Ok(compiled)
}

fn write_files(run: &ContainerRun, dir: &Container) -> io::Result<()> {
    fs::write(dir.file("hostname"), format!("{}\n", run.hostname))?;
    for (name, text, wanted) in
        [("hosts", &run.hosts, mounts::has_hosts(run)), ("resolv.conf", &run.resolv_conf, mounts::has_resolv_conf(run))]
    {
        let host = || fs::read_to_string(Path::new("/etc").join(name)).unwrap_or_default();
        if wanted {
            fs::write(dir.file(name), text.clone().unwrap_or_else(host))?;
        }
    }
    Ok(())
}

/// The first process's pid and, when it has one, its terminal; the program has been executed.
fn execute(id: &str, dir: &Container, spec: &Spec, program: Program, stdio: Theirs) -> Result<(i32, Option<OwnedFd>), Failure> {
    let failed = |error: &dyn Error| Failure::Start(runc(&chain(error)));
    let (failure_read, failure_write) = pipe2(OFlag::O_CLOEXEC).map_err(|e| failed(&e))?;
    give(&stdio, &program).map_err(|e| failed(&e))?;
    let console = console(dir, spec).map_err(|e| failed(&e))?;
    let launcher = Launcher::new(program, &failure_write);
    let mut container = build(id, dir, spec, stdio, launcher, console.is_some()).map_err(|e| failed(&*e))?;
    let terminal = console.map(|listener| receive_terminal(&listener)).transpose().map_err(|e| failed(&e))?;
    container.start().map_err(|e| failed(&e))?;
    let pid = container.pid().map(|pid| pid.as_raw()).ok_or_else(|| Failure::Start(runc("the container has no process")))?;
    drop(failure_write);
    match read_failure(failure_read) {
        None => Ok((pid, terminal)),
        Some(text) => Err(Failure::Start(runc(&text))),
    }
}

/// libcontainer wants its document and keeps its bookkeeping in files; here they are in memory and gone in a moment, with
/// no environment in them in any case.
fn build(
    id: &str,
    dir: &Container,
    spec: &Spec,
    stdio: Theirs,
    launcher: Launcher,
    console: bool,
) -> Result<LibContainer, Box<dyn Error>> {
    let (bundle, state) = (dir.scratch().join("bundle"), dir.scratch().join("state"));
    fs::create_dir(&bundle)?;
    fs::create_dir(&state)?;
    spec.save(bundle.join("config.json"))?;
    let mut builder =
        ContainerBuilder::new(id.to_owned(), SyscallType::default()).with_root_path(&state)?.with_executor(launcher);
    if console {
        builder = builder.with_console_socket(Some(console_path(dir)));
    } else {
        if let Some(stdin) = stdio.stdin {
            builder = builder.with_stdin(stdin);
        }
        builder = builder.with_stdout(stdio.stdout).with_stderr(stdio.stderr);
    }
    Ok(builder.as_init(&bundle).with_systemd(false).with_detach(true).as_sibling(true).build()?)
}

/// Lets a program that is not root open /dev/stdout, which many images log to.
fn give(stdio: &Theirs, program: &Program) -> nix::Result<()> {
    let (uid, gid) = (Uid::from_raw(program.user.uid), Gid::from_raw(program.user.gid));
    for fd in stdio.stdin.iter().chain([&stdio.stdout, &stdio.stderr]) {
        if is_pipe(fd) {
            fchown(fd, Some(uid), Some(gid))?;
        }
    }
    Ok(())
}

fn is_pipe(fd: &OwnedFd) -> bool {
    nix::sys::stat::fstat(fd).is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFIFO)
}

fn console_path(dir: &Container) -> std::path::PathBuf {
    dir.scratch().join("console.sock")
}

/// libcontainer connects to this and sends the terminal's controlling side.
fn console(dir: &Container, spec: &Spec) -> io::Result<Option<UnixListener>> {
    if spec.process().as_ref().and_then(|p| p.terminal()) != Some(true) {
        return Ok(None);
    }
    // Relative, because the absolute path may be longer than a socket address.
    std::env::set_current_dir(dir.scratch())?;
    UnixListener::bind("console.sock").map(Some)
}

fn receive_terminal(listener: &UnixListener) -> io::Result<OwnedFd> {
    let (stream, _) = listener.accept()?;
    let receiver = super::report::receive_descriptor(&stream)?;
    receiver.ok_or_else(|| io::Error::other("no terminal was sent"))
}

fn read_failure(pipe: OwnedFd) -> Option<String> {
    let mut text = String::new();
    match File::from(pipe).read_to_string(&mut text) {
        Ok(0) => None,
        Ok(_) => Some(text),
        Err(error) => Some(error.to_string()),
    }
}

/// The nest of prefixes Docker and containerd put around what runc says.
pub fn runc(text: &str) -> String {
    format!(
        "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: {text}: unknown"
    )
}

fn chain(error: &dyn Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        if !text.contains(&error.to_string()) {
            text = format!("{text}: {error}");
        }
        cause = error.source();
    }
    text
}
