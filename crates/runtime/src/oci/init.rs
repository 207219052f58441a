//! `slipway init -- PROGRAM…`: the first process of a container that asks for one. Passes signals on to the program,
//! reaps what loses its parent, and ends as the program ends. Runs as root of nothing: no threads, no files.

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, execvp, fork};
use std::ffi::CString;

/// What a shell answers for a command it cannot find.
const NOT_FOUND: i32 = 127;

pub fn main(args: &[String]) -> i32 {
    let program = args.strip_prefix(&["--".to_owned()]).unwrap_or(args);
    match run(program) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("[init] {}: {}", program.first().map_or("", String::as_str), error.desc());
            NOT_FOUND
        }
    }
}

#[allow(unsafe_code)]
fn run(program: &[String]) -> nix::Result<i32> {
    let args = program.iter().map(|a| CString::new(a.as_str()).map_err(|_| Errno::EINVAL)).collect::<nix::Result<Vec<_>>>()?;
    let file = args.first().ok_or(Errno::EINVAL)?;
    let all = SigSet::all();
    let mut before = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&all), Some(&mut before))?;
    // SAFETY: this process has one thread.
    match unsafe { fork() }? {
        ForkResult::Child => {
            sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
            execvp(file, &args).map(|never| match never {})
        }
        ForkResult::Parent { child } => attend(child),
    }
}

#[allow(unsafe_code)]
fn attend(child: Pid) -> nix::Result<i32> {
    loop {
        if let Some(code) = reap(child) {
            return Ok(code);
        }
        let mut signal = 0;
        let all = SigSet::all();
        // SAFETY: both pointers are valid for the call. Not nix's wait: it refuses real-time signals.
        if unsafe { libc::sigwait(all.as_ref(), &mut signal) } == 0 && signal != libc::SIGCHLD {
            // SAFETY: integers only.
            unsafe { libc::kill(child.as_raw(), signal) };
        }
    }
}

/// The program's exit code, once it has one.
fn reap(child: Pid) -> Option<i32> {
    let mut code = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, status)) if pid == child => code = Some(status),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => code = Some(128 + signal as i32),
            Ok(WaitStatus::StillAlive) | Err(_) => return code,
            Ok(_) => {}
        }
    }
}
