//! GetLogEvents: one stream, forward from its beginning or backward from its end. A token is a place between two events; one
//! that came with an answer leads on from there in either direction, also when nothing was there yet.

use super::{BYTES_PER_ANSWER, limit, unavailable};
use crate::{group, stream};
use api_logs as api;
use api_logs::{Error, OutputLogEvent};
use kernel::Call;
use logstore::{Events, Found, Key, Query};
use std::sync::Arc;
use store::Image;

pub async fn get_log_events(
    events: Events,
    call: Call,
    image: Arc<Image>,
    input: api::GetLogEventsRequest,
) -> Result<api::GetLogEventsResponse, Error> {
    let group = group::find(&image, &call.scope, group::given(&input.log_group_name, &input.log_group_identifier)?)?;
    let stream = stream::find(&image, group, input.log_stream_name.as_deref().unwrap_or_default())?.id.clone();
    let token = input.next_token.as_deref().map(|token| Token::parse(token, &stream)).transpose()?;
    let oldest = input.start_time.unwrap_or(0).max(group.oldest_kept(call.now).millis() as i64);
    let (mut from, mut to) = (Key::at(oldest), Key::at(input.end_time.unwrap_or(i64::MAX)));
    let newest = match &token {
        Some(Token::Forward(place)) => {
            from = from.max(place.clone());
            false
        }
        Some(Token::Backward(place)) => {
            to = to.min(place.clone());
            true
        }
        None => input.start_from_head != Some(true),
    };
    let limit = limit(input.limit);
    let page = events.run(move |store| {
        let streams = [stream];
        store.read(&Query { streams: &streams, from, to, newest, limit, bytes: BYTES_PER_ANSWER, wanted: &|_| true })
    });
    let page = page.await.map_err(unavailable)?;
    let here = token.map_or_else(|| Key::at(oldest), Token::place);
    let (before, behind) = match (page.events.first(), page.events.last()) {
        (Some(first), Some(last)) => (first.key.clone(), last.key.next()),
        _ => (here.clone(), here),
    };
    Ok(api::GetLogEventsResponse {
        events: Some(page.events.into_iter().map(view).collect()),
        next_forward_token: Some(Token::Forward(behind).to_string()),
        next_backward_token: Some(Token::Backward(before).to_string()),
    })
}

fn view(found: Found) -> OutputLogEvent {
    OutputLogEvent { timestamp: Some(found.key.timestamp), message: Some(found.message), ingestion_time: Some(found.ingested_at) }
}

/// Before the event that stands at this place, if there is one.
enum Token {
    Forward(Key),
    Backward(Key),
}

impl Token {
    fn parse(text: &str, stream: &str) -> Result<Token, Error> {
        let invalid = || Error::invalid_parameter("The specified nextToken is invalid.");
        let (direction, place) = text.split_once('/').ok_or_else(invalid)?;
        let place = place.strip_suffix("/s").filter(|digits| digits.len() == 40 && digits.is_ascii()).ok_or_else(invalid)?;
        let (timestamp, sequence) = place.split_at(20);
        let timestamp = timestamp.parse().map_err(|_| invalid())?;
        let key = Key { timestamp, stream: stream.into(), sequence: sequence.parse().map_err(|_| invalid())? };
        match direction {
            "f" => Ok(Token::Forward(key)),
            "b" => Ok(Token::Backward(key)),
            _ => Err(invalid()),
        }
    }

    fn place(self) -> Key {
        match self {
            Token::Forward(place) | Token::Backward(place) => place,
        }
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (direction, place) = match self {
            Token::Forward(place) => ("f", place),
            Token::Backward(place) => ("b", place),
        };
        write!(f, "{direction}/{:020}{:020}/s", place.timestamp, place.sequence)
    }
}
