//! RunTask's `clientToken`: the same request again is answered with what it made the first time, another one under the same
//! token is refused.
//! https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html

use super::{Task, key, view};
use crate::cluster::Cluster;
use api_ecs as api;
use base::{Scope, Time};
use kernel::{Call, Plan, Reconciler};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;
use store::{Change, Image, Key, Record, Tx};

const LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// How long a token outlives what it made; failures are told in full for as long.
const AFTERLIFE: Duration = Duration::from_secs(3600);

/// What a token stood for. Written by RunTask; gone a day later.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientToken {
    pub scope: Scope,
    pub cluster: String,
    pub token: String,
    /// Of the request, so that its secrets are not kept twice.
    pub sha256: String,
    pub task_ids: Vec<String>,
    pub failures: Vec<api::Failure>,
    pub created_at: Time,
}

impl Record for ClientToken {
    const TABLE: &'static str = "ecs/client-token";

    fn key(&self) -> Key {
        token_key(&self.scope, &self.cluster, &self.token)
    }
}

fn token_key(scope: &Scope, cluster: &str, token: &str) -> Key {
    Key::new(format!("{scope}/{cluster}/{token}"))
}

/// The answer if this request was made before.
pub fn replay(
    image: &Image,
    cluster: &Cluster,
    input: &api::RunTaskRequest,
    now: Time,
) -> Result<Option<api::RunTaskResponse>, api::Error> {
    let Some(token) = input.client_token.as_deref() else { return Ok(None) };
    check(token)?;
    let row = image.get::<ClientToken>(token_key(&cluster.scope, &cluster.name, token).as_str());
    let Some(row) = row.filter(|row| is_alive(image, row, now)) else { return Ok(None) };
    if row.sha256 != sha256(input) {
        return Err(conflict(cluster, row));
    }
    let failures = if now < row.created_at + AFTERLIFE { row.failures.clone() } else { Vec::new() };
    let tasks = tasks(image, row).map(|task| if task.is_stopped() { brief(task) } else { view::view(task, image) }).collect();
    Ok(Some(api::RunTaskResponse { tasks: Some(tasks), failures: Some(failures) }))
}

pub fn remember(
    tx: &mut Tx,
    cluster: &Cluster,
    input: &api::RunTaskRequest,
    tasks: &[Task],
    failures: &[api::Failure],
    now: Time,
) {
    let Some(token) = input.client_token.clone() else { return };
    tx.put(ClientToken {
        scope: cluster.scope.clone(),
        cluster: cluster.name.clone(),
        token,
        sha256: sha256(input),
        task_ids: tasks.iter().map(|task| task.id.clone()).collect(),
        failures: failures.to_vec(),
        created_at: now,
    });
}

fn check(token: &str) -> Result<(), api::Error> {
    if (1..=64).contains(&token.len()) && token.bytes().all(|byte| (33..=126).contains(&byte)) {
        return Ok(());
    }
    Err(api::Error::invalid_parameter("clientToken must be 1 to 64 ASCII characters in the range of 33-126."))
}

/// A day, or an hour longer than its tasks; a task's row itself stays an hour after its end.
fn is_alive(image: &Image, row: &ClientToken, now: Time) -> bool {
    now < row.created_at + LIFETIME && (now < row.created_at + AFTERLIFE || tasks(image, row).next().is_some())
}

fn tasks<'a>(image: &'a Image, row: &'a ClientToken) -> impl Iterator<Item = &'a Task> {
    row.task_ids.iter().filter_map(|id| image.get::<Task>(key(&row.scope, &row.cluster, id).as_str()))
}

/// Of what was asked for.
pub fn sha256(input: &impl Serialize) -> String {
    let json = serde_json::to_vec(input).expect("requests are plain data");
    Sha256::digest(&json).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn conflict(cluster: &Cluster, row: &ClientToken) -> api::Error {
    let arn = |id: &String| super::arn(&cluster.scope, &cluster.name, id);
    api::Error::Conflict {
        message: "The client token was already used in a request with different parameters.".into(),
        resource_ids: Some(row.task_ids.iter().map(arn).collect()),
    }
}

fn brief(task: &Task) -> api::Task {
    let view::Statuses { last_status, desired_status } = view::statuses(task);
    api::Task { task_arn: Some(task.arn()), last_status, desired_status, ..Default::default() }
}

/// Deletes tokens after a day.
pub struct Expiry;

#[derive(Debug, PartialEq)]
pub struct Expire;

impl Reconciler for Expiry {
    const NAME: &'static str = "ecs/client-token-expiry";
    type Action = Expire;

    fn keys(image: &Image) -> Vec<Key> {
        image.keyed::<ClientToken>().map(|(key, _)| key.clone()).collect()
    }

    fn concerns(_image: &Image, change: &Change) -> Vec<Key> {
        if change.table == ClientToken::TABLE { vec![change.key.clone()] } else { Vec::new() }
    }

    fn decide(image: &Image, key: &Key, now: Time) -> Plan<Expire> {
        match image.get::<ClientToken>(key.as_str()).map(|row| row.created_at + LIFETIME) {
            Some(until) if until <= now => Plan::act(vec![Expire]),
            Some(until) => Plan::wait(until),
            None => Plan::rest(),
        }
    }

    fn apply(_call: &mut Call, tx: &mut Tx, key: &Key, _action: Expire) {
        tx.delete::<ClientToken>(key.as_str());
    }
}
