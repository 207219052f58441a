//! The machine every service runs on: operations as a table of plain functions, transactions in groups on one writer,
//! reconcilers driven by changes and by time, and the sets that nodes are sent. Knows no AWS service.

pub mod call;
pub mod core;
pub mod dispatch;
pub mod driver;
pub mod page;
pub mod plane;
pub mod reconcile;
pub mod service;
#[cfg(feature = "testing")]
pub mod testing;
pub mod words;
pub mod workloads;

pub use call::{Call, Caller};
pub use core::Core;
pub use page::page;
pub use plane::Plane;
pub use reconcile::{Plan, Reconciler};
pub use service::{Service, Services};
pub use words::Word;
pub use workloads::{Given, Workloads};
