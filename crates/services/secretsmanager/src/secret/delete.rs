//! DeleteSecret, which takes place when its window is over, and RestoreSecret, which undoes it before that.

use super::{Due, Secret, find, look};
use api_secretsmanager as api;
use api_secretsmanager::Error;
use base::Time;
use kernel::{Call, Plan, Reconciler};
use std::time::Duration;
use store::{Change, Image, Key, Record, Tx};

const USUAL_DAYS: i64 = 30;
const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

pub fn delete_secret(call: &mut Call, tx: &mut Tx, input: api::DeleteSecretRequest) -> Result<api::DeleteSecretResponse, Error> {
    match (input.force_delete_without_recovery == Some(true), input.recovery_window_in_days) {
        (true, Some(_)) => {
            Err(Error::invalid_parameter("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."))
        }
        (true, None) => forget(call, tx, input.secret_id.as_deref().unwrap_or_default()),
        (false, days) => schedule(call, tx, &input.secret_id, days.unwrap_or(USUAL_DAYS)),
    }
}

/// Whether or not there is such a secret.
fn forget(call: &Call, tx: &mut Tx, given: &str) -> Result<api::DeleteSecretResponse, Error> {
    let found = look(tx, &call.scope, given).map(|secret| (secret.key(), answer(secret, call.now)));
    Ok(match found {
        Some((key, answer)) => {
            tx.delete::<Secret>(key.as_str());
            answer
        }
        None => api::DeleteSecretResponse { name: Some(given.to_owned()), deletion_date: Some(call.now.into()), arn: None },
    })
}

fn schedule(call: &Call, tx: &mut Tx, given: &Option<String>, days: i64) -> Result<api::DeleteSecretResponse, Error> {
    let mut secret = super::find_live(tx, &call.scope, given)?.clone();
    let Some(days) = u64::try_from(days).ok().filter(|days| (7..=30).contains(days)) else {
        let sentence = "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).";
        return Err(Error::invalid_parameter(sentence));
    };
    let at = call.now + Duration::from_secs(days * SECONDS_PER_DAY);
    secret.deletion = Some(Due { asked_at: call.now, at });
    let answer = answer(&secret, at);
    tx.put(secret);
    Ok(answer)
}

fn answer(secret: &Secret, at: Time) -> api::DeleteSecretResponse {
    let (arn, name) = (Some(secret.arn()), Some(secret.name.clone()));
    api::DeleteSecretResponse { arn, name, deletion_date: Some(at.into()) }
}

pub fn restore_secret(
    call: &mut Call,
    tx: &mut Tx,
    input: api::RestoreSecretRequest,
) -> Result<api::RestoreSecretResponse, Error> {
    let mut secret = find(tx, &call.scope, &input.secret_id)?.clone();
    secret.deletion = None;
    let (arn, name) = (Some(secret.arn()), Some(secret.name.clone()));
    tx.put(secret);
    Ok(api::RestoreSecretResponse { arn, name })
}

/// Deletes what is due.
pub struct Deletion;

#[derive(Debug, PartialEq)]
pub struct Delete;

impl Reconciler for Deletion {
    const NAME: &'static str = "secretsmanager/deletion";
    type Action = Delete;

    fn keys(image: &Image) -> Vec<Key> {
        image.scan::<Secret>().filter(|secret| secret.deletion.is_some()).map(Secret::key).collect()
    }

    fn concerns(_image: &Image, change: &Change) -> Vec<Key> {
        if change.table == Secret::TABLE { vec![change.key.clone()] } else { Vec::new() }
    }

    fn decide(image: &Image, key: &Key, now: Time) -> Plan<Delete> {
        match image.get::<Secret>(key.as_str()).and_then(|secret| secret.deletion) {
            Some(due) if due.at <= now => Plan::act(vec![Delete]),
            Some(due) => Plan::wait(due.at),
            None => Plan::rest(),
        }
    }

    fn apply(_call: &mut Call, tx: &mut Tx, key: &Key, _action: Delete) {
        tx.delete::<Secret>(key.as_str());
    }
}
