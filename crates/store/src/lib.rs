//! Typed tables over a revisioned log, with a change feed. Everything is in memory as an immutable `Image`; a `Tx` is an
//! overlay of one; a `Backend` makes the writes of a group durable. Knows no record, no service and no clock; rows change
//! only through `Tx`, on the one writer.

pub mod backend;
mod image;
mod record;
mod table;
mod tables;
mod tx;

pub use backend::{Backend, Epoch, Loaded, Write};
pub use image::{Change, Image, Revision};
pub use record::{Index, Key, Record};
pub use tables::Tables;
pub use tx::Tx;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("row {table}/{key} cannot be read: {message}")]
    Row { table: String, key: String, message: String },
    #[error("table {0} is not known to this version")]
    UnknownTable(String),
    #[error("store {path}: {message}")]
    Open { path: String, message: String },
    /// Nothing of the group was kept.
    #[error("commit failed: {0}")]
    Commit(String),
    #[error("no longer the leader")]
    NotLeader,
}

pub type Result<T> = std::result::Result<T, Error>;
