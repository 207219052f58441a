//! What containers use, read from their cgroups once a second for as long as somebody looks, and never otherwise.

use super::{Answer, document, find};
use crate::compose::Server;
use crate::http::body;
use base::Scope;
use ecs::task::Task;
use hyper::Response;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use store::Key;
use tokio::time::{MissedTickBehavior, interval};
use workload::ContainerPhase;

const EVERY: Duration = Duration::from_secs(1);

/// One moment.
#[derive(Serialize)]
struct Reading {
    /// Seconds, as the API has times.
    at: f64,
    containers: Vec<Container>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    task_arn: String,
    task_definition_arn: String,
    container: String,
    runtime_id: String,
    #[serde(flatten)]
    usage: runtime::oci::Usage,
}

/// Of all containers that run, or of one task's until it is STOPPED.
pub fn watch(server: &Arc<Server>, scope: &Scope, id: &str) -> Answer {
    let only = if id.is_empty() { None } else { Some(store::Record::key(&find(server, scope, id)?)) };
    let (bytes, body) = body::streamed();
    let (server, account) = (Arc::clone(server), scope.account.clone());
    tokio::spawn(async move {
        let mut clock = interval(EVERY);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while only.as_ref().is_none_or(|key| runs(&server, key)) {
            tokio::select! {
                _ = clock.tick() => {}
                () = bytes.closed() => return,
            }
            let (server, account, only) = (Arc::clone(&server), account.clone(), only.clone());
            let Ok(reading) = tokio::task::spawn_blocking(move || read(&server, &account, only.as_ref())).await else { return };
            if bytes.send(document(&reading)).await.is_err() {
                return;
            }
        }
    });
    Ok(Response::new(body))
}

fn runs(server: &Server, key: &Key) -> bool {
    server.plane.image().get::<Task>(key.as_str()).is_some_and(|task| !task.is_stopped())
}

fn read(server: &Server, account: &str, only: Option<&Key>) -> Reading {
    let image = server.plane.image();
    let is_wanted = |task: &&Task| match only {
        Some(key) => store::Record::key(*task) == *key,
        None => task.scope.account == account && !task.is_stopped(),
    };
    let containers = image.scan::<Task>().filter(is_wanted).flat_map(|task| of_task(server, task)).collect();
    Reading { at: server.plane.clock().now().seconds_f64(), containers }
}

fn of_task(server: &Server, task: &Task) -> Vec<Container> {
    let Some(runtime) = task.node.as_ref().and_then(|node| server.nodes.runtime(node)) else { return vec![] };
    let running = task.status.containers.iter().filter(|status| status.phase == ContainerPhase::Running);
    let read = running.filter_map(|status| {
        let runtime_id = status.runtime_id.clone()?;
        Some(Container {
            task_arn: task.arn(),
            task_definition_arn: task.task_definition_arn(),
            container: status.name.clone(),
            usage: runtime.usage(&task.id, &runtime_id)?,
            runtime_id,
        })
    });
    read.collect()
}
