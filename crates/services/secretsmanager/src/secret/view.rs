//! A secret as callers see it, without its values.

use super::{Secret, find};
use crate::tags;
use api_secretsmanager as api;
use api_secretsmanager::Error;
use kernel::Call;
use std::collections::BTreeMap;
use store::Image;

pub fn describe_secret(
    call: &mut Call,
    image: &Image,
    input: api::DescribeSecretRequest,
) -> Result<api::DescribeSecretResponse, Error> {
    let secret = find(image, &call.scope, &input.secret_id)?;
    Ok(api::DescribeSecretResponse {
        arn: Some(secret.arn()),
        name: Some(secret.name.clone()),
        r#type: secret.kind.clone(),
        description: secret.description.clone(),
        kms_key_id: secret.kms_key_id.clone(),
        last_changed_date: Some(secret.changed_at.into()),
        last_accessed_date: secret.accessed_at.map(Into::into),
        deleted_date: secret.deletion.map(|due| due.asked_at.into()),
        tags: tags::view(secret),
        version_ids_to_stages: stages(secret),
        created_date: Some(secret.created_at.into()),
        ..Default::default()
    })
}

pub fn entry(secret: &Secret) -> api::SecretListEntry {
    api::SecretListEntry {
        arn: Some(secret.arn()),
        name: Some(secret.name.clone()),
        r#type: secret.kind.clone(),
        description: secret.description.clone(),
        kms_key_id: secret.kms_key_id.clone(),
        last_changed_date: Some(secret.changed_at.into()),
        last_accessed_date: secret.accessed_at.map(Into::into),
        deleted_date: secret.deletion.map(|due| due.asked_at.into()),
        tags: tags::view(secret),
        secret_versions_to_stages: stages(secret),
        created_date: Some(secret.created_at.into()),
        ..Default::default()
    }
}

/// Of the versions that stand in any.
fn stages(secret: &Secret) -> Option<BTreeMap<String, Vec<String>>> {
    let staged = secret.versions.iter().filter(|version| !version.stages.is_empty());
    let stages: BTreeMap<_, _> = staged.map(|version| (version.id.clone(), version.stages.iter().cloned().collect())).collect();
    (!stages.is_empty()).then_some(stages)
}
