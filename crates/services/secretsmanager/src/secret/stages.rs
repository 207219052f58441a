//! Which version a stage stands on. AWSCURRENT stands on exactly one, and leaves AWSPREVIOUS where it was.

use super::{CURRENT, PREVIOUS, Secret, find_live};
use api_secretsmanager as api;
use api_secretsmanager::Error;
use kernel::Call;
use store::Tx;

pub fn update_secret_version_stage(
    call: &mut Call,
    tx: &mut Tx,
    input: api::UpdateSecretVersionStageRequest,
) -> Result<api::UpdateSecretVersionStageResponse, Error> {
    let mut secret = find_live(tx, &call.scope, &input.secret_id)?.clone();
    let stage = input.version_stage.as_deref().unwrap_or_default();
    check(&secret, stage, input.remove_from_version_id.as_deref(), input.move_to_version_id.as_deref())?;
    match &input.move_to_version_id {
        Some(to) => put(&mut secret, stage, to),
        None => take(&mut secret, stage),
    }
    secret.changed_at = call.now;
    let (arn, name) = (Some(secret.arn()), Some(secret.name.clone()));
    tx.put(secret);
    Ok(api::UpdateSecretVersionStageResponse { arn, name })
}

fn check(secret: &Secret, stage: &str, from: Option<&str>, to: Option<&str>) -> Result<(), Error> {
    if let Some(missing) = [from, to].into_iter().flatten().find(|id| secret.version(id).is_none()) {
        let sentence = format!("Secrets Manager can't find the specified secret version: {missing}.");
        return Err(Error::resource_not_found(sentence));
    }
    let holder = secret.staged(stage).map(|version| version.id.as_str());
    match (holder, from) {
        (Some(holder), from) if from != Some(holder) && to != Some(holder) => Err(Error::invalid_parameter(match from {
            None => format!(
                "The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to version {holder}, \
                 so you must explicitly reference that version in RemoveFromVersionId."
            ),
            Some(from) => format!("Staging label {stage} is not currently attached to version {from}."),
        })),
        (None, Some(from)) => {
            Err(Error::invalid_parameter(format!("Staging label {stage} is not currently attached to version {from}.")))
        }
        _ if stage == CURRENT && to.is_none() => Err(Error::invalid_parameter(
            "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.",
        )),
        _ => Ok(()),
    }
}

/// Moves `stage` to version `to`, which the secret has.
pub fn put(secret: &mut Secret, stage: &str, to: &str) {
    let was = secret.staged(stage).map(|version| version.id.clone()).filter(|was| was != to);
    take(secret, stage);
    give(secret, stage, to);
    if let Some(was) = was.filter(|_| stage == CURRENT) {
        take(secret, PREVIOUS);
        give(secret, PREVIOUS, &was);
    }
}

fn give(secret: &mut Secret, stage: &str, to: &str) {
    let version = secret.versions.iter_mut().find(|version| version.id == to);
    version.expect("callers looked for it").stages.insert(stage.to_owned());
}

fn take(secret: &mut Secret, stage: &str) {
    for version in &mut secret.versions {
        version.stages.remove(stage);
    }
}
