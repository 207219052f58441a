//! The log stream operations.

use super::{LogStream, find, key, prefix};
use crate::events::{SEQUENCE_TOKEN, unavailable};
use crate::group;
use crate::paging::page;
use api_logs as api;
use api_logs::{Error, OrderBy};
use kernel::Call;
use logstore::{Events, Summary};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use store::{Image, Tx};
use wire::Empty;

/// A page of DescribeLogStreams at most, and if none is asked for.
const MOST: i32 = 50;

pub fn create_log_stream(call: &mut Call, tx: &mut Tx, input: api::CreateLogStreamRequest) -> Result<Empty, Error> {
    let group = group::find(tx, &call.scope, input.log_group_name.as_deref().unwrap_or_default())?.name.clone();
    let name = input.log_stream_name.unwrap_or_default();
    if tx.get::<LogStream>(key(&call.scope, &group, &name).as_str()).is_some() {
        return Err(Error::resource_already_exists("The specified log stream already exists"));
    }
    let (scope, id) = (call.scope.clone(), call.rng.hex32());
    tx.put(LogStream { scope, group, name, id, created_at: call.now });
    Ok(Empty {})
}

pub fn delete_log_stream(call: &mut Call, tx: &mut Tx, input: api::DeleteLogStreamRequest) -> Result<Empty, Error> {
    let group = group::find(tx, &call.scope, input.log_group_name.as_deref().unwrap_or_default())?;
    let stream = find(tx, group, input.log_stream_name.as_deref().unwrap_or_default())?.own_key();
    tx.delete::<LogStream>(stream.as_str());
    Ok(Empty {})
}

pub async fn describe_log_streams(
    events: Events,
    call: Call,
    image: Arc<Image>,
    input: api::DescribeLogStreamsRequest,
) -> Result<api::DescribeLogStreamsResponse, Error> {
    let given = group::given(&input.log_group_name, &input.log_group_identifier)?;
    let group = group::find(&image, &call.scope, given)?;
    let wanted = input.log_stream_name_prefix.as_deref();
    let by_time = input.order_by == Some(OrderBy::LastEventTime);
    if by_time && wanted.is_some() {
        return Err(Error::invalid_parameter("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let of_group = prefix(&group.scope, &group.name) + wanted.unwrap_or_default();
    let mut streams: Vec<&LogStream> = image.prefix(&of_group).collect();
    if by_time {
        let summaries = summaries(&events, &streams).await?;
        let newest = |stream: &&LogStream| summaries.get(&stream.id).map(|summary| summary.newest);
        streams.sort_by_key(newest);
    }
    if input.descending == Some(true) {
        streams.reverse();
    }
    let page = page(streams, |stream| &stream.name, input.limit.unwrap_or(MOST), input.next_token.as_deref())?;
    let summaries = summaries(&events, &page.items).await?;
    let streams = page.items.into_iter().map(|stream| view(stream, summaries.get(&stream.id))).collect();
    Ok(api::DescribeLogStreamsResponse { log_streams: Some(streams), next_token: page.next_token })
}

/// Of those that have events, by their ids.
async fn summaries(events: &Events, streams: &[&LogStream]) -> Result<BTreeMap<String, Summary>, Error> {
    let ids: Vec<String> = streams.iter().map(|stream| stream.id.clone()).collect();
    let all = events.run(move |store| ids.into_iter().map(|id| Ok((store.summary(&id)?, id))).collect::<io::Result<Vec<_>>>());
    let all = all.await.map_err(unavailable)?;
    Ok(all.into_iter().filter(|(summary, _)| summary.events > 0).map(|(summary, id)| (id, summary)).collect())
}

/// The bytes of a stream have been told as 0 since 2019.
fn view(stream: &LogStream, summary: Option<&Summary>) -> api::LogStream {
    api::LogStream {
        log_stream_name: Some(stream.name.clone()),
        creation_time: Some(stream.created_at.millis() as i64),
        first_event_timestamp: summary.map(|summary| summary.oldest),
        last_event_timestamp: summary.map(|summary| summary.newest),
        last_ingestion_time: summary.map(|summary| summary.ingested_at),
        upload_sequence_token: Some(SEQUENCE_TOKEN.to_owned()),
        arn: Some(stream.arn()),
        stored_bytes: Some(0),
    }
}
