//! What a person types, a file a command. Commands that need a server speak to it as any client would.

pub mod env;
pub mod image;
pub mod lines;
pub mod logs;
pub mod run;
pub mod up;
