//! The backend seam: three verbs that an embedded file, memory and (in a later issue) etcd share. Called from the writer
//! thread only, so they may block.

#[cfg(test)]
pub mod conformance;
pub mod file;
pub mod mem;

use crate::record::Key;
use crate::{Result, Revision};
use std::sync::Arc;

/// Grows with every change of leader; a commit of an older epoch is refused.
pub type Epoch = u64;

/// `None` deletes.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    pub table: &'static str,
    pub key: Key,
    pub value: Option<Arc<[u8]>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub table: String,
    pub key: String,
    pub value: Vec<u8>,
}

#[derive(Debug, Default)]
pub struct Loaded {
    pub revision: Revision,
    pub rows: Vec<Row>,
}

pub trait Backend: Send {
    /// Blocks until this process leads. `mem` and `file` lead at once.
    fn lead(&mut self) -> Result<Epoch>;
    /// Everything, at one revision. Called once, on becoming leader.
    fn load(&mut self) -> Result<Loaded>;
    /// All or nothing, durable on return, refused if `epoch` no longer leads. Returns the new revision.
    fn commit(&mut self, epoch: Epoch, writes: &[Write]) -> Result<Revision>;
}
