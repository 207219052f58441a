//! The log stream operations.

use super::{LogStream, find, key, prefix};
use crate::group;
use crate::paging::page;
use api_logs as api;
use api_logs::{Error, OrderBy};
use kernel::Call;
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

pub fn describe_log_streams(
    call: &mut Call,
    image: &Image,
    input: api::DescribeLogStreamsRequest,
) -> Result<api::DescribeLogStreamsResponse, Error> {
    let given = group::given(&input.log_group_name, &input.log_group_identifier)?;
    let group = group::find(image, &call.scope, given)?;
    let wanted = input.log_stream_name_prefix.as_deref();
    if input.order_by == Some(OrderBy::LastEventTime) && wanted.is_some() {
        return Err(Error::invalid_parameter("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let of_group = prefix(&group.scope, &group.name) + wanted.unwrap_or_default();
    let mut streams: Vec<&LogStream> = image.prefix(&of_group).collect();
    if input.descending == Some(true) {
        streams.reverse();
    }
    let page = page(streams, |stream| &stream.name, input.limit.unwrap_or(MOST), input.next_token.as_deref())?;
    let streams = page.items.into_iter().map(view).collect();
    Ok(api::DescribeLogStreamsResponse { log_streams: Some(streams), next_token: page.next_token })
}

fn view(stream: &LogStream) -> api::LogStream {
    api::LogStream {
        log_stream_name: Some(stream.name.clone()),
        creation_time: Some(stream.created_at.millis() as i64),
        arn: Some(stream.arn()),
        stored_bytes: Some(0),
        ..Default::default()
    }
}
