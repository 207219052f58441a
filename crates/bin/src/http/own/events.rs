//! State-change events as a stream: what the outbox keeps, then what is written into it, a document a line. Each reader has
//! a place of its own in the outbox, so a slow one holds nobody up and goes on where it was.

use super::{Answer, Refusal, document};
use crate::compose::Server;
use crate::http::body;
use base::{Scope, Time};
use bytes::Bytes;
use ecs::state_events::{self, Event, Kind};
use hyper::{Response, StatusCode};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{Change, Image, Record};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};

/// So many documents are made at once: what a slow reader waits with is no more than that.
const AT_ONCE: usize = 256;

/// What a reader asked for.
struct Wanted {
    account: String,
    cluster: Option<String>,
    /// All if it is empty.
    kinds: Vec<Kind>,
    since: Time,
}

/// `after`: the number of the event that the reader has seen last; `since`: milliseconds.
pub fn stream(server: &Arc<Server>, scope: &Scope, query: &BTreeMap<&str, &str>) -> Answer {
    let follow = query.get("follow") == Some(&"1");
    let (wanted, after) = (Wanted::of(scope, query)?, number(query, "after")?);
    let (bytes, body) = body::streamed();
    let server = Arc::clone(server);
    tokio::spawn(async move {
        let mut feed = server.plane.feed();
        let mut place = Place { seen: after };
        loop {
            while let Some(documents) = place.next(&server.plane.image(), &wanted) {
                for document in documents {
                    if bytes.send(document).await.is_err() {
                        return;
                    }
                }
            }
            if !follow || !told(&mut feed, &bytes).await {
                return;
            }
        }
    });
    Ok(Response::new(body))
}

fn number(query: &BTreeMap<&str, &str>, name: &str) -> Result<Option<u64>, super::Refusal> {
    let parsed = query.get(name).map(|text| text.parse()).transpose();
    parsed.map_err(|_| Refusal(StatusCode::BAD_REQUEST, format!("{name} is a number")))
}

/// `false` when nobody reads or the server ends.
async fn told(feed: &mut broadcast::Receiver<Arc<Vec<Change>>>, bytes: &mpsc::Sender<Bytes>) -> bool {
    loop {
        let changes = tokio::select! {
            changes = feed.recv() => changes,
            () = bytes.closed() => return false,
        };
        match changes {
            Ok(changes) if !changes.iter().any(|change| change.table == Event::TABLE) => {}
            // Fell behind: whatever was missed, the outbox has it.
            Ok(_) | Err(RecvError::Lagged(_)) => return true,
            Err(RecvError::Closed) => return false,
        }
    }
}

impl Wanted {
    fn of(scope: &Scope, query: &BTreeMap<&str, &str>) -> Result<Wanted, Refusal> {
        let names = query.get("type").into_iter().flat_map(|names| names.split(',')).filter(|name| !name.is_empty());
        let kind = |name: &str| {
            kind(name).ok_or_else(|| Refusal(StatusCode::BAD_REQUEST, format!("there are no events of the type {name}")))
        };
        Ok(Wanted {
            account: scope.account.clone(),
            cluster: query.get("cluster").map(|name| (*name).to_owned()),
            kinds: names.map(kind).collect::<Result<_, _>>()?,
            since: Time(number(query, "since")?.unwrap_or_default()),
        })
    }

    fn takes(&self, event: &Event) -> bool {
        let of_kind = self.kinds.is_empty() || self.kinds.contains(&event.kind);
        let of_cluster = self.cluster.as_ref().is_none_or(|name| *name == event.cluster);
        of_kind && of_cluster && event.scope.account == self.account && event.at >= self.since
    }
}

fn kind(name: &str) -> Option<Kind> {
    Some(match name {
        "task" => Kind::Task,
        "container-instance" => Kind::ContainerInstance,
        "service" => Kind::ServiceAction,
        "deployment" => Kind::Deployment,
        _ => return None,
    })
}

/// Where a reader is.
struct Place {
    /// None before a reader who has seen nothing was given anything.
    seen: Option<u64>,
}

impl Place {
    /// The next documents, maybe none of those that were looked at; `None` at the end of the outbox.
    fn next(&mut self, image: &Image, wanted: &Wanted) -> Option<Vec<Bytes>> {
        // Numbers that are higher than any that was given: everything was forgotten, and begins anew.
        self.seen.take_if(|seen| *seen > state_events::newest(image));
        let events: Vec<&Event> = state_events::after(image, self.seen.unwrap_or(0)).take(AT_ONCE).collect();
        let (first, last) = (events.first()?, events.last()?);
        let missed = self.seen.map_or(0, |seen| first.sequence - seen - 1);
        let gap = (missed > 0).then(|| document(&json!({ "sequence": first.sequence - 1, "missed": missed })));
        self.seen = Some(last.sequence);
        let line = |event: &&Event| {
            document(&json!({ "sequence": event.sequence, "event": serde_json::to_value(state_events::envelope(event)).ok() }))
        };
        Some(gap.into_iter().chain(events.iter().filter(|event| wanted.takes(event)).map(line)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::Tx;

    fn event(sequence: u64) -> Event {
        Event {
            sequence,
            id: sequence.to_string(),
            kind: if sequence.is_multiple_of(2) { Kind::Task } else { Kind::ServiceAction },
            scope: Scope::new("1", "us-east-1"),
            cluster: "default".into(),
            at: Time(sequence * 1000),
            resource: String::new(),
            detail: serde_json::from_str("{}").unwrap(),
        }
    }

    fn outbox(sequences: impl Iterator<Item = u64>) -> Image {
        let mut tx = Tx::new(Image::default());
        sequences.for_each(|sequence| tx.put(event(sequence)));
        tx.into_parts().2
    }

    fn wanted(query: &[(&'static str, &'static str)]) -> Wanted {
        Wanted::of(&Scope::new("1", "us-east-1"), &query.iter().copied().collect()).ok().expect("a good query")
    }

    const NOTHING: [i64; 0] = [];

    /// `number` of an event, `-missed` of those that are gone.
    fn read(place: &mut Place, image: &Image, wanted: &Wanted) -> Vec<i64> {
        let documents = std::iter::from_fn(|| place.next(image, wanted)).flatten();
        let number = |document: Bytes| {
            let line: serde_json::Value = serde_json::from_slice(&document).unwrap();
            line["missed"].as_i64().map_or_else(|| line["sequence"].as_i64().unwrap(), |missed| -missed)
        };
        documents.map(number).collect()
    }

    #[test]
    fn a_reader_is_given_each_event_once_in_order() {
        let (mut place, all) = (Place { seen: None }, wanted(&[]));
        let many = 3 * AT_ONCE as u64 + 5;
        assert_eq!(read(&mut place, &outbox(1..=many), &all), (1..=many as i64).collect::<Vec<_>>());
        assert_eq!(read(&mut place, &outbox(1..=many), &all), NOTHING);
        assert_eq!(read(&mut place, &outbox(3..=many + 2), &all), [many as i64 + 1, many as i64 + 2]);
    }

    #[test]
    fn a_reader_is_given_what_it_asked_for() {
        let read = |query: &[(&'static str, &'static str)]| read(&mut Place { seen: None }, &outbox(1..=6), &wanted(query));
        assert_eq!(read(&[("type", "task")]), [2, 4, 6]);
        assert_eq!(read(&[("type", "task,service")]), [1, 2, 3, 4, 5, 6]);
        assert_eq!(read(&[("type", "deployment")]), NOTHING);
        assert_eq!(read(&[("since", "5000")]), [5, 6]);
        assert_eq!(read(&[("cluster", "other")]), NOTHING);
    }

    #[test]
    fn a_reader_that_was_away_for_too_long_is_told_how_many_it_missed() {
        let read = |seen, first| read(&mut Place { seen }, &outbox(first..=9), &wanted(&[]));
        assert_eq!(read(Some(5), 8), [-2, 8, 9]);
        assert_eq!(read(Some(7), 8), [8, 9]);
        assert_eq!(read(None, 8), [8, 9]);
    }

    #[test]
    fn an_outbox_that_was_emptied_is_read_from_its_beginning() {
        assert_eq!(read(&mut Place { seen: Some(100) }, &outbox(1..=2), &wanted(&[])), [1, 2]);
    }
}
