//! A service as a person asks about it: what DescribeServices says, its tasks as the scheduler counts them, and what it
//! waits for. Decides nothing and writes nothing.

use super::members::{Health, Member};
use super::situation::{self, Situation};
use super::waits::{Wait, waits};
use super::{Service, Status, asked, reconcile, rollout, view};
use crate::container_instance;
use crate::task::explain::{self, Explanation, Verdict};
use crate::task::view::{Statuses, statuses};
use crate::task::{self, Task};
use api_ecs as api;
use base::Time;
use serde::Serialize;
use store::Image;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    pub service: api::Service,
    pub steady: bool,
    /// Of healthy tasks the fewest, of all tasks the most.
    pub minimum: usize,
    pub maximum: usize,
    pub waits: Vec<Wait>,
    /// Before that the scheduler does nothing, unless something else changes.
    pub looks_again_at: Option<f64>,
    /// Of the next task, where tasks wait for a place.
    pub placement: Option<Explanation>,
    pub tasks: Vec<Shown>,
}

/// One task.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    pub task_arn: String,
    /// `ecs-svc/…`.
    pub deployment: Option<String>,
    pub last_status: Option<String>,
    pub desired_status: Option<String>,
    /// As the scheduler counts it: without a health check time decides.
    pub health_status: &'static str,
    pub container_instance_arn: Option<String>,
    pub node: Option<String>,
    pub availability_zone: Option<String>,
    pub protected_until: Option<f64>,
}

pub fn standing(image: &Image, service: &Service, now: Time) -> Standing {
    let situation = Situation::of(image, service, now);
    let steady = rollout::is_steady(&situation);
    let waits = if service.status == Status::Inactive { Vec::new() } else { waits(&situation) };
    let has_no_place = waits.iter().any(|wait| wait.reason == "PLACE");
    Standing {
        service: view::view(service, image, true),
        steady,
        minimum: situation.floor,
        maximum: situation.ceiling,
        looks_again_at: reconcile::plan(&situation).wake.filter(|_| !steady).map(Time::seconds_f64),
        placement: if has_no_place { placement(image, &situation) } else { None },
        waits,
        tasks: situation.members.iter().filter_map(|member| shown(image, service, member)).collect(),
    }
}

/// Of a daemon the instances that have theirs are no place for another.
fn placement(image: &Image, situation: &Situation) -> Option<Explanation> {
    let service = situation.service;
    let cluster = situation::cluster_of(image, service)?;
    let (launch, share, request) = asked::next(image, service, situation.now)?;
    let mut explanation = explain::explanation(image, cluster, &launch, &share, &request);
    if service.is_daemon() {
        let arn = |member: &Member| container_instance::arn(&service.scope, &service.cluster, member.instance);
        let taken: Vec<String> = situation.members.iter().filter(|member| !member.is_ended()).map(arn).collect();
        let is_free = |verdict: &Verdict| verdict.container_instance_arn.as_ref().is_none_or(|arn| !taken.contains(arn));
        explanation.nodes.retain(is_free);
    }
    Some(explanation)
}

fn shown(image: &Image, service: &Service, member: &Member) -> Option<Shown> {
    let task = image.get::<Task>(task::key(&service.scope, &service.cluster, member.id).as_str())?;
    let instance = task.container_instance.as_ref();
    let Statuses { last_status, desired_status } = statuses(task);
    Some(Shown {
        task_arn: task.arn(),
        deployment: member.deployment.map(|at| service.deployments[at].name()),
        last_status,
        desired_status,
        health_status: health(member.health),
        container_instance_arn: instance.map(|id| container_instance::arn(&task.scope, &task.cluster, id)),
        node: task.node.clone(),
        availability_zone: task.availability_zone.clone(),
        protected_until: member.protected_until.map(Time::seconds_f64),
    })
}

fn health(health: Health) -> &'static str {
    match health {
        Health::Healthy(_) => "HEALTHY",
        Health::Unhealthy => "UNHEALTHY",
        Health::Unknown(_) => "UNKNOWN",
    }
}
