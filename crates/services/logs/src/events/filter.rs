//! FilterLogEvents: events of many streams in order of time, those that a pattern takes.

use super::{BYTES_PER_ANSWER, limit, unavailable};
use crate::filter::Filter;
use crate::group::LogGroup;
use crate::stream::LogStream;
use crate::{group, paging, stream};
use api_logs as api;
use api_logs::{Error, FilteredLogEvent};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::Call;
use logstore::{Events, Found, Key, Query};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::Image;

pub async fn filter_log_events(
    events: Events,
    call: Call,
    image: Arc<Image>,
    input: api::FilterLogEventsRequest,
) -> Result<api::FilterLogEventsResponse, Error> {
    let group = group::find(&image, &call.scope, group::given(&input.log_group_name, &input.log_group_identifier)?)?;
    let filter = Filter::parse(input.filter_pattern.as_deref().unwrap_or_default())
        .map_err(|_| Error::invalid_parameter("Invalid filter pattern"))?;
    let names = names(&image, group, &input)?;
    let oldest = input.start_time.unwrap_or(0).max(group.oldest_kept(call.now).millis() as i64);
    // Events at the end are in it, unlike those of GetLogEvents.
    let end = input.end_time.map_or(i64::MAX, |end| end.saturating_add(1));
    let (mut from, mut to, newest) = (Key::at(oldest), Key::at(end), input.start_from_head == Some(false));
    if let Some(place) = input.next_token.as_deref().map(place).transpose()? {
        *(if newest { &mut to } else { &mut from }) = place;
    }
    let (streams, limit): (Vec<String>, usize) = (names.keys().cloned().collect(), limit(input.limit));
    let page = events.run(move |store| {
        let wanted = |message: &str| filter.matches(message);
        store.read(&Query { streams: &streams, from, to, newest, limit, bytes: BYTES_PER_ANSWER, wanted: &wanted })
    });
    let page = page.await.map_err(unavailable)?;
    let next = if newest { page.events.first().map(|e| e.key.clone()) } else { page.events.last().map(|e| e.key.next()) };
    Ok(api::FilterLogEventsResponse {
        events: Some(page.events.into_iter().map(|found| view(found, &names)).collect()),
        searched_log_streams: Some(Vec::new()),
        next_token: next.filter(|_| page.more).map(|place| token(&place)),
    })
}

/// The streams that are meant: names by the ids of their events.
fn names(image: &Image, group: &LogGroup, input: &api::FilterLogEventsRequest) -> Result<BTreeMap<String, String>, Error> {
    let prefix = input.log_stream_name_prefix.as_deref();
    let streams: Vec<&LogStream> = match &input.log_stream_names {
        Some(_) if prefix.is_some() => {
            let sentence = "LogStreamNamePrefix and LogStreamNames are mutually exclusive parameters.";
            return Err(Error::invalid_parameter(sentence));
        }
        Some(names) => names.iter().map(|name| stream::find(image, group, name)).collect::<Result<_, _>>()?,
        None => image.prefix(&(stream::prefix(&group.scope, &group.name) + prefix.unwrap_or_default())).collect(),
    };
    Ok(streams.into_iter().map(|stream| (stream.id.clone(), stream.name.clone())).collect())
}

fn view(found: Found, names: &BTreeMap<String, String>) -> FilteredLogEvent {
    FilteredLogEvent {
        log_stream_name: names.get(&*found.key.stream).cloned(),
        event_id: Some(event_id(&found.key)),
        timestamp: Some(found.key.timestamp),
        message: Some(found.message),
        ingestion_time: Some(found.ingested_at),
    }
}

/// 56 digits, as AWS's: when, of which stream, which.
fn event_id(key: &Key) -> String {
    let stream = key.stream.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default();
    format!("{:016}{stream:020}{:020}", key.timestamp, key.sequence)
}

fn token(place: &Key) -> String {
    URL_SAFE_NO_PAD.encode(format!("{} {} {}", place.timestamp, place.sequence, place.stream))
}

fn place(token: &str) -> Result<Key, Error> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let mut parts = text.splitn(3, ' ');
        let (timestamp, sequence) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Key { timestamp, sequence, stream: parts.next()?.into() })
    };
    read().ok_or_else(paging::invalid)
}
