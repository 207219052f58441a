//! What everything else is said in: time, entropy, scope, names of AWS resources, and the limits.
//! Knows no service, does no I/O; the two seams here (clock, entropy) are how the outside gets in.

pub mod arn;
pub mod clock;
pub mod limits;
pub mod rng;
pub mod scope;
pub mod time;

pub use arn::Arn;
pub use clock::{Clock, SystemClock};
pub use rng::Rng;
pub use scope::Scope;
pub use time::Time;
