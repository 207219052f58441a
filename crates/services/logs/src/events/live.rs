//! StartLiveTail: events as they are put, until the caller goes. They are sent at once rather than once a second; in any second no
//! more than AWS sends.

use crate::filter::Filter;
use crate::group;
use crate::group::LogGroup;
use crate::stream::{self, LogStream};
use api_logs as api;
use api_logs::{Error, LiveTailSessionLogEvent, LiveTailSessionUpdate, StartLiveTailResponseStream};
use futures_util::stream::{Stream, StreamExt, once, unfold};
use kernel::Call;
use kernel::service::Newest;
use logstore::{Appended, Events, Gathered, Tail};
use std::collections::BTreeMap;
use std::future::ready;

/// In a second, and in an update.
const MOST: usize = 500;
/// Then the session is over, and its caller is told so.
const LONGEST_SECONDS: u64 = 3 * 60 * 60;

pub fn start_live_tail(
    events: &Events,
    mut call: Call,
    newest: Newest,
    input: api::StartLiveTailRequest,
) -> Result<impl Stream<Item = StartLiveTailResponseStream> + use<>, Error> {
    check(&input)?;
    let image = newest();
    let identifiers = input.log_group_identifiers.iter().flatten();
    let groups = identifiers.map(|given| group::find(&image, &call.scope, given).cloned()).collect::<Result<_, _>>()?;
    let filter = Filter::parse(input.log_event_filter_pattern.as_deref().unwrap_or_default())
        .map_err(|_| Error::invalid_parameter("Invalid filter pattern"))?;
    let start = StartLiveTailResponseStream {
        session_start: Some(api::LiveTailSessionStart {
            request_id: Some(call.request_id.clone()),
            session_id: Some(call.rng.uuid()),
            log_group_identifiers: input.log_group_identifiers.clone(),
            log_stream_names: input.log_stream_names.clone(),
            log_stream_name_prefixes: input.log_stream_name_prefixes.clone(),
            log_event_filter_pattern: input.log_event_filter_pattern.clone(),
        }),
        ..Default::default()
    };
    let session = Session { tail: events.tail(), newest, groups, input, filter, streams: BTreeMap::new(), sent: Sent::default() };
    Ok(once(ready(start)).chain(unfold(Some(session), Session::next)))
}

fn check(input: &api::StartLiveTailRequest) -> Result<(), Error> {
    let groups = input.log_group_identifiers.as_ref().map_or(0, Vec::len);
    let (names, prefixes) = (input.log_stream_names.is_some(), input.log_stream_name_prefixes.is_some());
    if names && prefixes {
        let sentence = "LogStreamNamePrefixes and LogStreamNames are mutually exclusive parameters.";
        return Err(Error::invalid_parameter(sentence));
    }
    if (names || prefixes) && groups > 1 {
        let sentence = "LogStreamNames and LogStreamNamePrefixes can be specified only with one log group.";
        return Err(Error::invalid_parameter(sentence));
    }
    Ok(())
}

struct Session {
    tail: Tail,
    newest: Newest,
    groups: Vec<LogGroup>,
    input: api::StartLiveTailRequest,
    filter: Filter,
    /// By id: the stream's group and name, if it is tailed.
    streams: BTreeMap<String, Option<(String, String)>>,
    sent: Sent,
}

/// In the second that runs.
#[derive(Default)]
struct Sent {
    second: u64,
    events: usize,
    updates: usize,
}

impl Session {
    async fn next(session: Option<Session>) -> Option<(StartLiveTailResponseStream, Option<Session>)> {
        let mut session = session?;
        loop {
            let gathered = session.tail.gather().await?;
            if gathered.second >= LONGEST_SECONDS {
                return Some((over(), None));
            }
            if let Some(update) = session.update(&gathered) {
                let event = StartLiveTailResponseStream { session_update: Some(update), ..Default::default() };
                return Some((event, Some(session)));
            }
        }
    }

    /// None while there is nothing to say in a second in which something was said.
    fn update(&mut self, gathered: &Gathered) -> Option<LiveTailSessionUpdate> {
        let begins = gathered.second != self.sent.second;
        if begins {
            self.sent = Sent { second: gathered.second, ..Sent::default() };
        }
        let (mut results, mut sampled) = (Vec::new(), gathered.missed);
        for appended in &gathered.batches {
            sampled |= !self.add(appended, &mut results);
        }
        let is_news = !results.is_empty() || sampled && self.sent.updates == 0;
        if !is_news && !begins {
            return None;
        }
        self.sent.updates += 1;
        let session_metadata = Some(api::LiveTailSessionMetadata { sampled: Some(sampled) });
        Some(LiveTailSessionUpdate { session_metadata, session_results: Some(results) })
    }

    /// False if there is no room for all that is wanted.
    fn add(&mut self, appended: &Appended, results: &mut Vec<LiveTailSessionLogEvent>) -> bool {
        let Some((group, name)) = self.stream(&appended.stream) else { return true };
        for (ingested_at, timestamp, message) in appended.events().filter(|(_, _, message)| self.filter.matches(message)) {
            if self.sent.events == MOST {
                return false;
            }
            self.sent.events += 1;
            results.push(LiveTailSessionLogEvent {
                log_stream_name: Some(name.clone()),
                log_group_identifier: Some(group.clone()),
                message: Some(message.to_owned()),
                timestamp: Some(timestamp),
                ingestion_time: Some(ingested_at),
            });
        }
        true
    }

    /// Group and name of a stream that is tailed. A stream has its row before it has events, so it is looked for once.
    fn stream(&mut self, id: &str) -> Option<(String, String)> {
        if let Some(known) = self.streams.get(id) {
            return known.clone();
        }
        let found = self.find(id);
        self.streams.insert(id.to_owned(), found.clone());
        found
    }

    fn find(&self, id: &str) -> Option<(String, String)> {
        let image = (self.newest)();
        self.groups.iter().find_map(|group| {
            let mut streams = image.prefix::<LogStream>(&stream::prefix(&group.scope, &group.name));
            let stream = streams.find(|stream| stream.id == id)?;
            let identifier = format!("{}:{}", group.scope.account, group.name);
            self.is_wanted(&stream.name).then(|| (identifier, stream.name.clone()))
        })
    }

    fn is_wanted(&self, name: &str) -> bool {
        let (names, prefixes) = (&self.input.log_stream_names, &self.input.log_stream_name_prefixes);
        names.as_ref().is_none_or(|names| names.iter().any(|one| one == name))
            && prefixes.as_ref().is_none_or(|prefixes| prefixes.iter().any(|prefix| name.starts_with(prefix)))
    }
}

fn over() -> StartLiveTailResponseStream {
    let timeout = api::SessionTimeoutException { message: Some("The live tail session has timed out.".to_owned()) };
    StartLiveTailResponseStream { session_timeout_exception: Some(timeout), ..Default::default() }
}
