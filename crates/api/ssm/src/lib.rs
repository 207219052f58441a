//! The Parameter Store of AWS Systems Manager as AWS's model describes it: shapes, enums, operations, errors, and the tables
//! the wire checks bodies against. All of it is generated; nothing here decides anything.

mod generated;

pub use generated::*;
