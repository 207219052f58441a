//! An event as it is delivered: EventBridge's envelope around the detail.
//! https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html

use super::Event;
use base::Time;
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Envelope<'a> {
    version: &'static str,
    id: &'a str,
    detail_type: &'static str,
    source: &'static str,
    account: &'a str,
    time: String,
    region: &'a str,
    resources: [&'a str; 1],
    detail: &'a RawValue,
}

pub fn envelope(event: &Event) -> impl Serialize {
    Envelope {
        version: "0",
        id: &event.id,
        detail_type: event.kind.as_str(),
        source: "aws.ecs",
        account: &event.scope.account,
        time: date(event.at, 0),
        region: &event.scope.region,
        resources: [&event.resource],
        detail: &event.detail,
    }
}

/// Times within details: `2026-11-20T12:34:56.789Z`.
pub fn iso(at: Time) -> String {
    date(at, 3)
}

/// Cut off behind so many digits of a second.
fn date(at: Time, digits: usize) -> String {
    let millis = i64::try_from(at.millis()).unwrap_or(i64::MAX);
    // No clock is behind the year 9999.
    let at = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    format!("{at:.digits$}")
}
