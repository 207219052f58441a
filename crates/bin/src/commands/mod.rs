//! What a person types, a file a command. Commands that need a server speak to it as any client would.

pub mod describe;
pub mod env;
pub mod events;
pub mod explain;
pub mod image;
mod interrupts;
pub mod lines;
pub mod logs;
pub mod node;
pub mod output;
pub mod ps;
pub mod run;
mod service;
pub mod stats;
pub mod up;

use std::fmt::Display;
use std::io::Write;

/// A line for whoever reads. False once nobody does: `| head` closes the pipe when it has seen enough, which is no failure.
fn say(line: impl Display) -> bool {
    writeln!(std::io::stdout(), "{line}").is_ok()
}
