//! What is told of a task: what DescribeTasks shows of it at that moment, without health and tags, its times as text.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html

use super::{Kind, Subject, iso, tell};
use crate::task::{Task, view};
use api_ecs as api;
use base::Time;
use kernel::Call;
use serde::Serialize;
use std::collections::BTreeMap;
use store::{Image, Tx};

#[derive(Serialize)]
struct Detail {
    #[serde(flatten)]
    task: api::Task,
    #[serde(flatten)]
    times: BTreeMap<&'static str, String>,
}

/// `ECS Task State Change`.
pub fn task_state_change(call: &mut Call, tx: &mut Tx, task: &Task) {
    let detail = detail(task, tx, call.now);
    let subject = Subject { kind: Kind::Task, scope: &task.scope, cluster: &task.cluster, resource: task.arn() };
    tell(call, tx, subject, &detail);
}

fn detail(task: &Task, image: &Image, now: Time) -> Detail {
    let mut task = view::view(task, image);
    let times = [
        ("connectivityAt", task.connectivity_at.take()),
        ("createdAt", task.created_at.take()),
        ("executionStoppedAt", task.execution_stopped_at.take()),
        ("pullStartedAt", task.pull_started_at.take()),
        ("pullStoppedAt", task.pull_stopped_at.take()),
        ("startedAt", task.started_at.take()),
        ("stoppedAt", task.stopped_at.take()),
        ("stoppingAt", task.stopping_at.take()),
        ("updatedAt", Some(now.into())),
    ];
    let times = times.into_iter().filter_map(|(name, at)| Some((name, iso(at?.into())))).collect();
    (task.tags, task.health_status, task.fargate_ephemeral_storage) = (None, None, None);
    task.containers.iter_mut().flatten().for_each(|container| container.health_status = None);
    task.attachments.iter_mut().flatten().for_each(|attachment| attachment.r#type = Some("eni".to_owned()));
    if let Some(overrides) = &mut task.overrides {
        overrides.inference_accelerator_overrides.take_if(|all| all.is_empty());
    }
    Detail { task, times }
}
