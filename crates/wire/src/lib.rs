//! AWS's wire: bytes become a shape once and a shape becomes bytes once; signatures; errors as AWS words them.
//! Everything is driven by a `Model`, which generated code supplies: this crate knows no service.

mod blob;
mod conform;
mod enumeration;
mod error;
pub mod eventstream;
pub mod model;
pub mod protocol;
mod redacted;
pub mod route;
pub mod sigv4;
#[cfg(test)]
mod testing;
mod timestamp;

pub use blob::Blob;
pub use error::{Error, Fault};
pub use model::Model;
pub use protocol::{Protocol, decode, encode, error_response, response, stream_response};
pub use redacted::redacted;
pub use timestamp::Timestamp;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// One operation of a service, tying its name to its shapes. Generated code implements it on a unit struct each.
pub trait Operation: 'static {
    const NAME: &'static str;
    type Input: DeserializeOwned + Send;
    type Output: Serialize + Send;
}

/// Something to be done with every operation of a service, whatever its types. Tests and tools implement it; generated code
/// calls it.
pub trait EachOperation {
    fn operation<Op>(&mut self)
    where
        Op: Operation,
        Op::Input: Serialize,
        Op::Output: DeserializeOwned;
}

/// The input or output of an operation that models none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Empty {}
