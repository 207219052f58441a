//! PutSecretValue and UpdateSecret: further versions.

use super::value::{self, Plain};
use super::{CURRENT, Secret, Version, find_live, stages};
use api_secretsmanager as api;
use api_secretsmanager::Error;
use kernel::Call;
use seal::Key;
use std::collections::BTreeSet;
use store::Tx;

/// AWS's quota, beyond which versions without a stage are forgotten.
const VERSIONS: usize = 100;

pub fn put_secret_value(
    seal: &Key,
    call: &mut Call,
    tx: &mut Tx,
    input: api::PutSecretValueRequest,
) -> Result<api::PutSecretValueResponse, Error> {
    let mut secret = find_live(tx, &call.scope, &input.secret_id)?.clone();
    let Some(plain) = value::given(input.secret_string, input.secret_binary)? else {
        return Err(Error::invalid_request("You must provide either SecretString or SecretBinary."));
    };
    let stages = input.version_stages.unwrap_or_default();
    let id = add(seal, call, &mut secret, input.client_request_token, plain, &stages)?;
    let version = secret.version(&id).expect("it was just added");
    let response = api::PutSecretValueResponse {
        arn: Some(secret.arn()),
        name: Some(secret.name.clone()),
        version_stages: Some(version.stages.iter().cloned().collect()),
        version_id: Some(id),
    };
    tx.put(secret);
    Ok(response)
}

pub fn update_secret(
    seal: &Key,
    call: &mut Call,
    tx: &mut Tx,
    input: api::UpdateSecretRequest,
) -> Result<api::UpdateSecretResponse, Error> {
    let mut secret = find_live(tx, &call.scope, &input.secret_id)?.clone();
    secret.description = input.description.or(secret.description);
    secret.kms_key_id = input.kms_key_id.or(secret.kms_key_id);
    secret.kind = input.r#type.or(secret.kind);
    secret.changed_at = call.now;
    let version_id = match value::given(input.secret_string, input.secret_binary)? {
        Some(plain) => Some(add(seal, call, &mut secret, input.client_request_token, plain, &[])?),
        None => None,
    };
    let response = api::UpdateSecretResponse { arn: Some(secret.arn()), name: Some(secret.name.clone()), version_id };
    tx.put(secret);
    Ok(response)
}

/// The id of the version that holds `plain` and stands in `wanted` stages; without any it becomes the current one. The same
/// token with the same value makes no second version.
pub fn add(
    seal: &Key,
    call: &mut Call,
    secret: &mut Secret,
    token: Option<String>,
    plain: Plain,
    wanted: &[String],
) -> Result<String, Error> {
    let id = token.unwrap_or_else(|| call.rng.uuid());
    if let Some(known) = secret.version(&id) {
        let same = value::open(seal, secret, &id, &known.value).ok() == Some(plain);
        return if same { Ok(id) } else { Err(in_use(secret, &id)) };
    }
    let value = value::seal(seal, &mut call.rng, secret, &id, &plain);
    let version = Version { id: id.clone(), value, stages: BTreeSet::new(), created_at: call.now, accessed_at: None };
    let is_first = secret.versions.is_empty();
    secret.versions.push(version);
    secret.changed_at = call.now;
    wanted.iter().for_each(|stage| stages::put(secret, stage, &id));
    if is_first || wanted.is_empty() {
        stages::put(secret, CURRENT, &id);
    }
    forget_oldest(secret)?;
    Ok(id)
}

fn in_use(secret: &Secret, token: &str) -> Error {
    let arn = secret.arn();
    Error::resource_exists(format!(
        "You can't use ClientRequestToken {token} because that value is already in use for a version of secret {arn}."
    ))
}

fn forget_oldest(secret: &mut Secret) -> Result<(), Error> {
    if secret.versions.len() <= VERSIONS {
        return Ok(());
    }
    match secret.versions.iter().position(|version| version.stages.is_empty()) {
        Some(oldest) => {
            secret.versions.remove(oldest);
            Ok(())
        }
        None => Err(Error::limit_exceeded("You've exceeded the limit of 100 versions with staging labels of one secret.")),
    }
}
