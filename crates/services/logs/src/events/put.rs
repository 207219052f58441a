//! PutLogEvents: a batch is taken whole, but for events that are too old or too new.

use super::{SEQUENCE_TOKEN, unavailable};
use crate::group::LogGroup;
use crate::{group, stream};
use api_logs as api;
use api_logs::{Error, InputLogEvent, RejectedLogEventsInfo};
use base::Time;
use kernel::Call;
use logstore::{Batch, Events};
use std::sync::Arc;
use std::time::Duration;
use store::Image;

/// AWS's quotas of PutLogEvents. An event counts 26 bytes beside its message.
const BATCH_BYTES: usize = 1 << 20;
const BYTES_PER_EVENT: usize = 26;
const LONGEST_SPAN_MS: i64 = 24 * 60 * 60 * 1000;
const NEWEST_AHEAD: Duration = Duration::from_secs(2 * 60 * 60);
const OLDEST: Duration = Duration::from_secs(14 * 24 * 60 * 60);

pub async fn put_log_events(
    events: Events,
    call: Call,
    image: Arc<Image>,
    input: api::PutLogEventsRequest,
) -> Result<api::PutLogEventsResponse, Error> {
    let group = group::find(&image, &call.scope, input.log_group_name.as_deref().unwrap_or_default())?;
    let stream = stream::find(&image, group, input.log_stream_name.as_deref().unwrap_or_default())?.id.clone();
    let given = input.log_events.unwrap_or_default();
    check(&given)?;
    let (taken, rejected) = accepted(given, group, call.now);
    let mut batch = Batch::new(call.now.millis() as i64, &[]);
    for event in taken {
        batch.push(event.timestamp.unwrap_or_default(), event.message.as_deref().unwrap_or_default());
    }
    events.run(move |store| store.append(&stream, batch)).await.map_err(unavailable)?;
    Ok(api::PutLogEventsResponse {
        next_sequence_token: Some(SEQUENCE_TOKEN.to_owned()),
        rejected_log_events_info: rejected,
        ..Default::default()
    })
}

/// Lengths of messages and the number of events are the model's, refused on the wire.
fn check(given: &[InputLogEvent]) -> Result<(), Error> {
    let bytes: usize = given.iter().map(|event| event.message.as_ref().map_or(0, String::len) + BYTES_PER_EVENT).sum();
    if bytes > BATCH_BYTES {
        return Err(Error::invalid_parameter(format!("Upload too large: {bytes} bytes exceeds limit of {BATCH_BYTES}")));
    }
    if !given.is_sorted_by_key(|event| event.timestamp) {
        let sentence = "Log events in a single PutLogEvents request must be in chronological order.";
        return Err(Error::invalid_parameter(sentence));
    }
    let (first, last) = (given.first().and_then(|event| event.timestamp), given.last().and_then(|event| event.timestamp));
    if last.unwrap_or_default().saturating_sub(first.unwrap_or_default()) > LONGEST_SPAN_MS {
        let sentence = "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.";
        return Err(Error::invalid_parameter(sentence));
    }
    Ok(())
}

fn accepted(given: Vec<InputLogEvent>, group: &LogGroup, now: Time) -> (Vec<InputLogEvent>, Option<RejectedLogEventsInfo>) {
    let older_than = |time: Time| given.partition_point(|event| event.timestamp.unwrap_or_default() < time.millis() as i64);
    let too_old = older_than(now - OLDEST);
    let expired = older_than(group.oldest_kept(now));
    let too_new = older_than(now + NEWEST_AHEAD + Duration::from_millis(1));
    let index = |index: usize| i32::try_from(index).ok();
    let info = RejectedLogEventsInfo {
        too_old_log_event_end_index: index(too_old).filter(|end| *end > 0),
        expired_log_event_end_index: index(expired).filter(|end| *end > 0),
        too_new_log_event_start_index: index(too_new).filter(|_| too_new < given.len()),
    };
    let first = too_old.max(expired);
    let taken = given.into_iter().take(too_new).skip(first).collect();
    (taken, Some(info).filter(|info| *info != RejectedLogEventsInfo::default()))
}
