//! The log group operations.

use super::{LogGroup, find, key};
use crate::events::unavailable;
use crate::paging::page;
use crate::stream::LogStream;
use crate::tags;
use api_logs as api;
use api_logs::{Error, LogGroupClass};
use kernel::Call;
use logstore::{EventStore, Events};
use std::io;
use std::sync::Arc;
use store::{Image, Tx};
use wire::Empty;

/// A page of DescribeLogGroups at most, and if none is asked for.
const MOST: i32 = 50;

pub fn create_log_group(call: &mut Call, tx: &mut Tx, input: api::CreateLogGroupRequest) -> Result<Empty, Error> {
    let name = input.log_group_name.unwrap_or_default();
    if tx.get::<LogGroup>(key(&call.scope, &name).as_str()).is_some() {
        return Err(Error::resource_already_exists("The specified log group already exists"));
    }
    if name.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws/")) {
        return Err(Error::invalid_parameter("Log groups starting with AWS/ are reserved for AWS."));
    }
    let tags = tags::merged(Default::default(), input.tags.unwrap_or_default(), &name)?;
    tx.put(LogGroup {
        scope: call.scope.clone(),
        name,
        created_at: call.now,
        retention_in_days: None,
        kms_key_id: input.kms_key_id,
        class: input.log_group_class.unwrap_or(LogGroupClass::Standard).as_str().to_owned(),
        deletion_protected: input.deletion_protection_enabled.unwrap_or(false),
        tags,
    });
    Ok(Empty {})
}

/// With its streams.
pub fn delete_log_group(call: &mut Call, tx: &mut Tx, input: api::DeleteLogGroupRequest) -> Result<Empty, Error> {
    let group = find(tx, &call.scope, input.log_group_name.as_deref().unwrap_or_default())?.clone();
    if group.deletion_protected {
        let sentence = "The specified log group has deletion protection enabled. Disable it before deleting the log group.";
        return Err(Error::validation(sentence));
    }
    let streams: Vec<_> =
        tx.prefix::<LogStream>(&crate::stream::prefix(&call.scope, &group.name)).map(LogStream::own_key).collect();
    for stream in streams {
        tx.delete::<LogStream>(stream.as_str());
    }
    tx.delete::<LogGroup>(key(&call.scope, &group.name).as_str());
    Ok(Empty {})
}

pub async fn describe_log_groups(
    events: Events,
    call: Call,
    image: Arc<Image>,
    input: api::DescribeLogGroupsRequest,
) -> Result<api::DescribeLogGroupsResponse, Error> {
    let (prefix, pattern) = (input.log_group_name_prefix.as_deref(), input.log_group_name_pattern.as_deref());
    if prefix.is_some() && pattern.is_some() {
        let sentence = "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.";
        return Err(Error::invalid_parameter(sentence));
    }
    let class = input.log_group_class.as_ref().map(LogGroupClass::as_str);
    // A pattern is looked for anywhere in the name, in any upper or lower case.
    let pattern = pattern.unwrap_or_default().to_lowercase();
    let wanted = |group: &&LogGroup| {
        class.is_none_or(|class| class == group.class)
            && group.name.to_lowercase().contains(&pattern)
            && input
                .log_group_identifiers
                .as_ref()
                .is_none_or(|some| some.iter().any(|one| *one == group.name || *one == group.arn()))
    };
    let groups = image.prefix::<LogGroup>(&format!("{}/{}", call.scope, prefix.unwrap_or_default())).filter(wanted);
    let page = page(groups, |group| &group.name, input.limit.unwrap_or(MOST), input.next_token.as_deref())?;
    let stored = stored_bytes(&events, &image, &page.items).await?;
    let groups = page.items.into_iter().zip(stored).map(|(group, bytes)| view(group, bytes)).collect();
    Ok(api::DescribeLogGroupsResponse { log_groups: Some(groups), next_token: page.next_token })
}

async fn stored_bytes(events: &Events, image: &Image, groups: &[&LogGroup]) -> Result<Vec<i64>, Error> {
    let streams = |group: &&LogGroup| {
        let streams = image.prefix::<LogStream>(&crate::stream::prefix(&group.scope, &group.name));
        streams.map(|stream| stream.id.clone()).collect::<Vec<_>>()
    };
    let groups: Vec<Vec<String>> = groups.iter().map(streams).collect();
    let stored = move |store: &EventStore| {
        let of = |streams: &Vec<String>| streams.iter().map(|stream| store.stored_bytes(stream)).sum::<io::Result<u64>>();
        groups.iter().map(|streams| Ok(i64::try_from(of(streams)?).unwrap_or(i64::MAX))).collect::<io::Result<Vec<i64>>>()
    };
    events.run(stored).await.map_err(unavailable)
}

fn view(group: &LogGroup, stored_bytes: i64) -> api::LogGroup {
    api::LogGroup {
        log_group_name: Some(group.name.clone()),
        creation_time: Some(group.created_at.millis() as i64),
        retention_in_days: group.retention_in_days,
        metric_filter_count: Some(0),
        arn: Some(format!("{}:*", group.arn())),
        log_group_arn: Some(group.arn()),
        stored_bytes: Some(stored_bytes),
        kms_key_id: group.kms_key_id.clone(),
        log_group_class: Some(LogGroupClass::from(group.class.as_str())),
        deletion_protection_enabled: Some(group.deletion_protected),
        ..Default::default()
    }
}
