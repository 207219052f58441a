//! Tags of parameters, which are the only resources of Systems Manager here.

use crate::parameter::{self, Parameter};
use api_ssm as api;
use api_ssm::{Error, ResourceTypeForTagging};
use base::limits;
use kernel::Call;
use std::collections::BTreeMap;
use store::{Image, Record, Tx};

type Tags = BTreeMap<String, String>;

pub fn add_tags_to_resource(
    call: &mut Call,
    tx: &mut Tx,
    input: api::AddTagsToResourceRequest,
) -> Result<api::AddTagsToResourceResult, wire::Error> {
    let mut parameter = find(tx, call, input.resource_type, input.resource_id)?.clone();
    parameter.tags = merged(parameter.tags, input.tags)?;
    tx.put(parameter);
    Ok(api::AddTagsToResourceResult {})
}

pub fn remove_tags_from_resource(
    call: &mut Call,
    tx: &mut Tx,
    input: api::RemoveTagsFromResourceRequest,
) -> Result<api::RemoveTagsFromResourceResult, wire::Error> {
    let key = find(tx, call, input.resource_type, input.resource_id)?.key();
    let gone = input.tag_keys.unwrap_or_default();
    tx.update::<Parameter>(key.as_str(), |parameter| parameter.tags.retain(|key, _| !gone.contains(key)));
    Ok(api::RemoveTagsFromResourceResult {})
}

pub fn list_tags_for_resource(
    call: &mut Call,
    image: &Image,
    input: api::ListTagsForResourceRequest,
) -> Result<api::ListTagsForResourceResult, wire::Error> {
    let parameter = find(image, call, input.resource_type, input.resource_id)?;
    let tag = |(key, value): (&String, &String)| api::Tag { key: Some(key.clone()), value: Some(value.clone()) };
    Ok(api::ListTagsForResourceResult { tag_list: Some(parameter.tags.iter().map(tag).collect()) })
}

fn find<'a>(
    image: &'a Image,
    call: &Call,
    kind: Option<ResourceTypeForTagging>,
    id: Option<String>,
) -> Result<&'a Parameter, Error> {
    let id = id.filter(|_| kind == Some(ResourceTypeForTagging::Parameter)).unwrap_or_default();
    let found = parameter::find(image, &call.scope, &id);
    found.ok_or_else(|| {
        Error::invalid_resource_id("The resource ID is not valid. Verify that you entered the correct ID and try again.")
    })
}

/// Lengths and characters are the model's, refused on the wire.
pub fn merged(mut tags: Tags, given: Option<Vec<api::Tag>>) -> Result<Tags, Error> {
    let given = given.into_iter().flatten();
    tags.extend(given.map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())));
    if tags.len() > limits::TAGS_PER_RESOURCE {
        return Err(Error::too_many_tags_error(
            "The Targets parameter includes too many tags. Remove one or more tags and try the command again.",
        ));
    }
    Ok(tags)
}
