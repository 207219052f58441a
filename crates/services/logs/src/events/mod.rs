//! Log events: put, got and filtered. They are no rows; which streams there are, and how long each keeps its events, is.

mod filter;
mod get;
mod live;
mod put;
#[cfg(test)]
mod tests;

pub use filter::filter_log_events;
pub use get::get_log_events;
pub use live::start_live_tail;
pub use put::put_log_events;

use api_logs::Error;

/// What an answer holds at most: AWS's 10,000 events or 1 MiB.
const EVENTS_PER_ANSWER: i32 = 10_000;
const BYTES_PER_ANSWER: usize = 1 << 20;

/// Sequence tokens have had no meaning since 2023; clients still expect one.
pub const SEQUENCE_TOKEN: &str = "49039859574011264211132441170122110042224352172235241234";

/// What broke goes to the log, not to the caller.
pub fn unavailable(error: std::io::Error) -> Error {
    tracing::error!(%error, "log events cannot be read or written");
    Error::service_unavailable("The service cannot complete the request.")
}

fn limit(given: Option<i32>) -> usize {
    usize::try_from(given.unwrap_or(EVENTS_PER_ANSWER)).unwrap_or(0)
}
