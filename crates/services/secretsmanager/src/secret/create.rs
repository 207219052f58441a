//! CreateSecret.

use super::value::{self, Plain};
use super::{Secret, key, update};
use crate::tags;
use api_secretsmanager as api;
use api_secretsmanager::Error;
use base::Rng;
use kernel::Call;
use seal::Key;
use store::Tx;

const SUFFIX_CHARACTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const SUFFIX_LENGTH: usize = 6;

pub fn create_secret(
    seal: &Key,
    call: &mut Call,
    tx: &mut Tx,
    input: api::CreateSecretRequest,
) -> Result<api::CreateSecretResponse, Error> {
    let name = input.name.clone().unwrap_or_default();
    check(&name, &input)?;
    let plain = value::given(input.secret_string, input.secret_binary)?;
    let token = input.client_request_token;
    if let Some(known) = tx.get::<Secret>(key(&call.scope, &name).as_str()) {
        return again(seal, known, token, plain);
    }
    let mut secret = Secret {
        scope: call.scope.clone(),
        name,
        suffix: suffix(&mut call.rng),
        description: input.description,
        kms_key_id: input.kms_key_id,
        kind: input.r#type,
        policy: None,
        tags: tags::merged(Default::default(), input.tags)?,
        versions: Vec::new(),
        created_at: call.now,
        changed_at: call.now,
        accessed_at: None,
        deletion: None,
    };
    let version_id = match plain {
        Some(plain) => Some(update::add(seal, call, &mut secret, token, plain, &[])?),
        None => None,
    };
    let response = answer(&secret, version_id);
    tx.put(secret);
    Ok(response)
}

fn check(name: &str, input: &api::CreateSecretRequest) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-/_+=.@!".contains(c);
    if !name.chars().all(plain) {
        return Err(Error::invalid_parameter(
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
        ));
    }
    if input.add_replica_regions.as_ref().is_some_and(|regions| !regions.is_empty()) {
        return Err(Error::invalid_request("Replicas in other Regions are not supported by this server."));
    }
    Ok(())
}

/// The same request once more, which its token and its value say, or another one.
fn again(seal: &Key, known: &Secret, token: Option<String>, plain: Option<Plain>) -> Result<api::CreateSecretResponse, Error> {
    if known.deletion.is_some() {
        return Err(Error::invalid_request(
            "You can't create this secret because a secret with this name is already scheduled for deletion.",
        ));
    }
    let same = token.as_deref().and_then(|token| known.version(token));
    let same = same.filter(|version| value::open(seal, known, &version.id, &version.value).ok() == plain);
    match same {
        Some(version) => Ok(answer(known, Some(version.id.clone()))),
        None => {
            let sentence = format!("The operation failed because the secret {} already exists.", known.name);
            Err(Error::resource_exists(sentence))
        }
    }
}

fn answer(secret: &Secret, version_id: Option<String>) -> api::CreateSecretResponse {
    let (arn, name) = (Some(secret.arn()), Some(secret.name.clone()));
    api::CreateSecretResponse { arn, name, version_id, ..Default::default() }
}

fn suffix(rng: &mut Rng) -> String {
    let mut character = || rng.pick(SUFFIX_CHARACTERS).map_or('A', |byte| char::from(*byte));
    (0..SUFFIX_LENGTH).map(|_| character()).collect()
}
