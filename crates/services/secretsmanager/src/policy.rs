//! Resource policies: kept and given back. Nothing here asks who may do what.

use crate::secret;
use api_secretsmanager as api;
use api_secretsmanager::Error;
use kernel::Call;
use store::{Image, Tx};

pub fn put_resource_policy(
    call: &mut Call,
    tx: &mut Tx,
    input: api::PutResourcePolicyRequest,
) -> Result<api::PutResourcePolicyResponse, Error> {
    let mut secret = secret::find_live(tx, &call.scope, &input.secret_id)?.clone();
    let policy = input.resource_policy.unwrap_or_default();
    if !serde_json::from_str::<serde_json::Value>(&policy).is_ok_and(|policy| policy.is_object()) {
        return Err(Error::malformed_policy_document("This resource policy contains invalid JSON."));
    }
    let (arn, name) = (Some(secret.arn()), Some(secret.name.clone()));
    secret.policy = Some(policy);
    tx.put(secret);
    Ok(api::PutResourcePolicyResponse { arn, name, ..Default::default() })
}

pub fn delete_resource_policy(
    call: &mut Call,
    tx: &mut Tx,
    input: api::DeleteResourcePolicyRequest,
) -> Result<api::DeleteResourcePolicyResponse, Error> {
    let mut secret = secret::find_live(tx, &call.scope, &input.secret_id)?.clone();
    let (arn, name) = (Some(secret.arn()), Some(secret.name.clone()));
    secret.policy = None;
    tx.put(secret);
    Ok(api::DeleteResourcePolicyResponse { arn, name, ..Default::default() })
}

pub fn get_resource_policy(
    call: &mut Call,
    image: &Image,
    input: api::GetResourcePolicyRequest,
) -> Result<api::GetResourcePolicyResponse, Error> {
    let secret = secret::find(image, &call.scope, &input.secret_id)?;
    let (arn, name) = (Some(secret.arn()), Some(secret.name.clone()));
    Ok(api::GetResourcePolicyResponse { arn, name, resource_policy: secret.policy.clone(), ..Default::default() })
}
