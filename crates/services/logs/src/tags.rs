//! Tags of log groups, by ARN and, as older clients do, by name.

use crate::group::{self, LogGroup};
use api_logs as api;
use api_logs::Error;
use base::limits;
use kernel::Call;
use std::collections::BTreeMap;
use store::{Image, Tx};
use wire::Empty;

type Tags = BTreeMap<String, String>;

pub fn tag_resource(call: &mut Call, tx: &mut Tx, input: api::TagResourceRequest) -> Result<Empty, Error> {
    add(call, tx, input.resource_arn, input.tags)
}

pub fn tag_log_group(call: &mut Call, tx: &mut Tx, input: api::TagLogGroupRequest) -> Result<Empty, Error> {
    add(call, tx, input.log_group_name, input.tags)
}

pub fn untag_resource(call: &mut Call, tx: &mut Tx, input: api::UntagResourceRequest) -> Result<Empty, Error> {
    remove(call, tx, input.resource_arn, input.tag_keys)
}

pub fn untag_log_group(call: &mut Call, tx: &mut Tx, input: api::UntagLogGroupRequest) -> Result<Empty, Error> {
    remove(call, tx, input.log_group_name, input.tags)
}

pub fn list_tags_for_resource(
    call: &mut Call,
    image: &Image,
    input: api::ListTagsForResourceRequest,
) -> Result<api::ListTagsForResourceResponse, Error> {
    let group = group::find(image, &call.scope, input.resource_arn.as_deref().unwrap_or_default())?;
    Ok(api::ListTagsForResourceResponse { tags: Some(group.tags.clone()) })
}

pub fn list_tags_log_group(
    call: &mut Call,
    image: &Image,
    input: api::ListTagsLogGroupRequest,
) -> Result<api::ListTagsLogGroupResponse, Error> {
    let group = group::find(image, &call.scope, input.log_group_name.as_deref().unwrap_or_default())?;
    Ok(api::ListTagsLogGroupResponse { tags: Some(group.tags.clone()) })
}

fn add(call: &mut Call, tx: &mut Tx, resource: Option<String>, tags: Option<Tags>) -> Result<Empty, Error> {
    let mut group = group::find(tx, &call.scope, resource.as_deref().unwrap_or_default())?.clone();
    group.tags = merged(group.tags, tags.unwrap_or_default(), &group.name)?;
    tx.put(group);
    Ok(Empty {})
}

fn remove(call: &mut Call, tx: &mut Tx, resource: Option<String>, keys: Option<Vec<String>>) -> Result<Empty, Error> {
    let name = group::find(tx, &call.scope, resource.as_deref().unwrap_or_default())?.name.clone();
    let keys = keys.unwrap_or_default();
    tx.update::<LogGroup>(group::key(&call.scope, &name).as_str(), |group| group.tags.retain(|key, _| !keys.contains(key)));
    Ok(Empty {})
}

/// Lengths and characters are the model's, refused on the wire.
pub fn merged(mut tags: Tags, given: Tags, resource: &str) -> Result<Tags, Error> {
    if given.keys().any(|key| key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"))) {
        return Err(Error::invalid_parameter("The aws: prefix is reserved for AWS use and cannot begin a tag key."));
    }
    tags.extend(given);
    if tags.len() > limits::TAGS_PER_RESOURCE {
        let sentence = format!("The resource already has the maximum of {} tags.", limits::TAGS_PER_RESOURCE);
        return Err(Error::too_many_tags(sentence, Some(resource.to_owned())));
    }
    Ok(tags)
}
