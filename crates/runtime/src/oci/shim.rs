//! The process that holds a task's containers: single-threaded, no runtime, one poll loop. It outlives the agent; it is
//! what the containers' exits are reported to and what keeps their output. libcontainer runs in short-lived forks of it.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod bare;
mod children;
mod connection;
mod container;
mod exec;
mod executor;
mod facts;
mod fork;
mod join;
mod log;
mod pause;
mod poller;
mod report;
mod requests;
mod rootfs;
mod server;
mod start;
mod stdio;

use std::fmt;
use std::io::{self, Write};

/// `slipway shim …`: must be called before the process has a second thread.
pub fn main(args: &[String]) -> i32 {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["serve", sandbox, logs, cgroup] => server::main(sandbox, logs, cgroup),
        ["run", bundle] => bare::main(bundle),
        ["pause"] => pause::main(),
        _ => {
            complain(format_args!("usage: shim serve SANDBOX LOGS CGROUP | shim run BUNDLE"));
            2
        }
    }
}

/// For the shim's own log. The usual macro panics where that cannot be written, and containers must outlive a full disk.
fn complain(what: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{what}");
}
