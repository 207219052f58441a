//! `slipway shim run BUNDLE`: one OCI bundle, once, in the foreground. What libcontainer alone costs, for benchmarks.

use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::error::Error;
use std::path::Path;

pub fn main(bundle: &str) -> i32 {
    match run(Path::new(bundle)) {
        Ok(code) => code,
        Err(error) => {
            super::complain(format_args!("{bundle}: {error}"));
            1
        }
    }
}

fn run(bundle: &Path) -> Result<i32, Box<dyn Error>> {
    let id = format!("bare-{}", std::process::id());
    let state = std::env::temp_dir().join(&id);
    std::fs::create_dir(&state)?;
    let builder = ContainerBuilder::new(id, SyscallType::default()).with_root_path(&state)?;
    let mut container = builder.as_init(bundle).with_systemd(false).with_detach(true).build()?;
    container.start()?;
    let pid = container.pid().map(|pid| Pid::from_raw(pid.as_raw()));
    let code = match waitpid(pid, None)? {
        WaitStatus::Exited(_, code) => code,
        WaitStatus::Signaled(_, signal, _) => 128 + signal as i32,
        other => return Err(format!("unexpected {other:?}").into()),
    };
    container.delete(true)?;
    std::fs::remove_dir_all(&state)?;
    Ok(code)
}
