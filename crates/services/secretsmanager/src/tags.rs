//! Tags of secrets.

use crate::secret::{self, Secret};
use api_secretsmanager as api;
use api_secretsmanager::Error;
use base::limits;
use kernel::Call;
use std::collections::BTreeMap;
use store::Tx;
use wire::Empty;

type Tags = BTreeMap<String, String>;

pub fn tag_resource(call: &mut Call, tx: &mut Tx, input: api::TagResourceRequest) -> Result<Empty, Error> {
    let mut secret = secret::find_live(tx, &call.scope, &input.secret_id)?.clone();
    secret.tags = merged(secret.tags, input.tags)?;
    tx.put(secret);
    Ok(Empty {})
}

pub fn untag_resource(call: &mut Call, tx: &mut Tx, input: api::UntagResourceRequest) -> Result<Empty, Error> {
    let mut secret = secret::find_live(tx, &call.scope, &input.secret_id)?.clone();
    let gone = input.tag_keys.unwrap_or_default();
    secret.tags.retain(|key, _| !gone.contains(key));
    tx.put(secret);
    Ok(Empty {})
}

/// Lengths are the model's, refused on the wire.
pub fn merged(mut tags: Tags, given: Option<Vec<api::Tag>>) -> Result<Tags, Error> {
    for tag in given.into_iter().flatten() {
        let key = tag.key.unwrap_or_default();
        if key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:")) {
            return Err(Error::invalid_parameter("The aws: prefix is reserved for AWS use and cannot begin a tag key."));
        }
        tags.insert(key, tag.value.unwrap_or_default());
    }
    if tags.len() > limits::TAGS_PER_RESOURCE {
        let sentence = format!("You've exceeded the limit of {} tags of one secret.", limits::TAGS_PER_RESOURCE);
        return Err(Error::invalid_parameter(sentence));
    }
    Ok(tags)
}

pub fn view(secret: &Secret) -> Option<Vec<api::Tag>> {
    let tag = |(key, value): (&String, &String)| api::Tag { key: Some(key.clone()), value: Some(value.clone()) };
    Some(secret.tags.iter().map(tag).collect())
}
