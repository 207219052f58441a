//! What was being done, added where an edge's error becomes the crate's.

use super::netlink::Fault;
use crate::{Error, Result};
use std::io;

pub trait Context<T> {
    fn context<S: Into<String>>(self, doing: impl FnOnce() -> S) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context<S: Into<String>>(self, doing: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|source| Error::Io { context: doing().into(), source })
    }
}

impl<T> Context<T> for std::result::Result<T, Fault> {
    fn context<S: Into<String>>(self, doing: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|fault| Error::Kernel { context: doing().into(), message: fault.to_string() })
    }
}
