//! GetSecretValue and BatchGetSecretValue.

use super::value;
use super::{CURRENT, Secret, Version, find_live, list};
use api_secretsmanager as api;
use api_secretsmanager::Error;
use base::Time;
use kernel::Call;
use seal::Key;
use store::{Image, Record, Tx};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const MOST_OF_BATCH: i32 = 20;

pub fn get_secret_value(
    seal: &Key,
    call: &mut Call,
    tx: &mut Tx,
    input: api::GetSecretValueRequest,
) -> Result<api::GetSecretValueResponse, Error> {
    let secret = find_live(tx, &call.scope, &input.secret_id)?;
    let version = version(secret, input.version_id.as_deref(), input.version_stage.as_deref())?;
    let (text, binary) = value::open(seal, secret, &version.id, &version.value)?.split();
    let response = api::GetSecretValueResponse {
        arn: Some(secret.arn()),
        name: Some(secret.name.clone()),
        version_id: Some(version.id.clone()),
        secret_binary: binary,
        secret_string: text,
        version_stages: Some(version.stages.iter().cloned().collect()),
        created_date: Some(version.created_at.into()),
    };
    let (key, id) = (secret.key(), version.id.clone());
    note_access(tx, key.as_str(), &id, call.now);
    Ok(response)
}

/// To the day, as AWS keeps it: nearly all reads change nothing.
fn note_access(tx: &mut Tx, key: &str, id: &str, now: Time) {
    let today = Time(now.millis() / DAY_MS * DAY_MS);
    let noted = tx.get::<Secret>(key).is_some_and(|secret| {
        secret.accessed_at == Some(today) && secret.version(id).is_some_and(|version| version.accessed_at == Some(today))
    });
    if noted {
        return;
    }
    tx.update::<Secret>(key, |secret| {
        secret.accessed_at = Some(today);
        secret.versions.iter_mut().filter(|version| version.id == id).for_each(|version| version.accessed_at = Some(today));
    });
}

/// By id, by stage, by both if they agree, else the current one.
pub fn version<'a>(secret: &'a Secret, id: Option<&str>, stage: Option<&str>) -> Result<&'a Version, Error> {
    let missing =
        |what: String| Error::resource_not_found(format!("Secrets Manager can't find the specified secret value for {what}"));
    let stage = stage.or(id.is_none().then_some(CURRENT));
    let found = match id {
        Some(id) => secret.version(id).ok_or_else(|| missing(format!("VersionId: {id}")))?,
        None => {
            let stage = stage.unwrap_or(CURRENT);
            secret.staged(stage).ok_or_else(|| missing(format!("staging label: {stage}")))?
        }
    };
    if stage.is_some_and(|stage| !found.stages.contains(stage)) {
        return Err(Error::invalid_request("You provided a VersionStage that is not associated to the provided VersionId."));
    }
    Ok(found)
}

pub fn batch_get_secret_value(
    seal: &Key,
    call: &mut Call,
    image: &Image,
    input: api::BatchGetSecretValueRequest,
) -> Result<api::BatchGetSecretValueResponse, Error> {
    let ids = match (input.secret_id_list, input.filters) {
        (Some(_), Some(_)) | (None, None) => {
            return Err(Error::invalid_parameter("Either 'SecretIdList' or 'Filters' must be provided, but not both."));
        }
        (Some(ids), None) => (ids, None),
        (None, Some(filters)) => {
            let limit = input.max_results.unwrap_or(MOST_OF_BATCH);
            let (page, token) = list::filtered(image, &call.scope, &filters, limit, input.next_token.as_deref())?;
            (page.into_iter().map(Secret::arn).collect(), token)
        }
    };
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for id in ids.0 {
        match entry(seal, call, image, &id) {
            Ok(entry) => values.push(entry),
            Err(error) => errors.push(api::APIErrorType {
                secret_id: Some(id),
                error_code: Some(error.code().to_owned()),
                message: Some(error.message().to_owned()),
            }),
        }
    }
    Ok(api::BatchGetSecretValueResponse { secret_values: Some(values), next_token: ids.1, errors: Some(errors) })
}

fn entry(seal: &Key, call: &Call, image: &Image, id: &str) -> Result<api::SecretValueEntry, Error> {
    let secret = find_live(image, &call.scope, &Some(id.to_owned()))?;
    let version = version(secret, None, None)?;
    let (text, binary) = value::open(seal, secret, &version.id, &version.value)?.split();
    Ok(api::SecretValueEntry {
        arn: Some(secret.arn()),
        name: Some(secret.name.clone()),
        version_id: Some(version.id.clone()),
        secret_binary: binary,
        secret_string: text,
        version_stages: Some(version.stages.iter().cloned().collect()),
        created_date: Some(version.created_at.into()),
    })
}
