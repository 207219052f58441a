//! Everything a decision about a service rests on, read from rows once. What follows from it is for `decide`, `daemon` and
//! `rollout`.

use super::emptying::Emptying;
use super::members::{self, Checks, Health, Member, Phase};
use super::pin::{self, Digests};
use super::{Deployment, Rollout, Service, Status, pace, rebalance};
use crate::cluster::Cluster;
use crate::container_instance::ContainerInstance;
use crate::node::freed;
use crate::service_deployment::ServiceDeployment;
use crate::task::Task;
use crate::{cluster, task_definition};
use api_ecs as api;
use base::Time;
use std::collections::BTreeSet;
use std::time::Duration;
use store::Image;

/// Between two attempts to place, however often capacity grows meanwhile.
const PLACE_AGAIN: Duration = Duration::from_millis(100);

pub struct Situation<'a> {
    pub service: &'a Service,
    pub now: Time,
    /// How many tasks there are to be: of a daemon one an instance.
    pub desired: usize,
    /// Of healthy tasks, the fewest that the scheduler's own stops may leave; of all tasks, the most its starts may make.
    pub floor: usize,
    pub ceiling: usize,
    pub members: Vec<Member<'a>>,
    /// The row of the PRIMARY deployment's service deployment.
    pub change: Option<&'a ServiceDeployment>,
    /// For a daemon: instances that are to have one, and those that are DRAINING but still run other services' tasks.
    pub instances: Vec<&'a str>,
    pub lingering: Vec<&'a str>,
    /// In which its tasks could be, if it is to be evenly over them.
    pub zones: Vec<&'a str>,
    pub emptying: Emptying<'a>,
    /// A deployment whose images were resolved, and to what.
    pub resolved: Option<(String, Digests)>,
    /// How much capacity has been freed so far.
    pub freed: u64,
}

impl<'a> Situation<'a> {
    pub fn of(image: &'a Image, service: &'a Service, now: Time) -> Situation<'a> {
        let checks: Vec<Checks> = service.deployments.iter().map(|deployment| checks(image, service, deployment)).collect();
        let tasks: Vec<&Task> = image.by("service", service.path()).collect();
        let draining = draining(image, service);
        let members = tasks.iter().map(|task| members::member(task, &service.deployments, &checks, &draining, now)).collect();
        let mut situation = Situation {
            service,
            now,
            desired: service.desired_count(),
            floor: 0,
            ceiling: 0,
            members,
            change: service.primary().and_then(|primary| change(image, service, primary)),
            instances: Vec::new(),
            lingering: Vec::new(),
            zones: rebalance::zones(image, service),
            emptying: Emptying::of(image, service, &tasks),
            resolved: pin::resolved(image, service, &tasks),
            freed: freed::count(image),
        };
        if service.is_daemon() && service.status == Status::Active {
            let (instances, lingering) = super::daemon::instances(image, service);
            situation.desired = instances.len();
            (situation.instances, situation.lingering) = (instances, lingering);
        }
        (situation.floor, situation.ceiling) = bounds(service, situation.desired);
        situation
    }

    pub fn primary(&self) -> Option<&'a Deployment> {
        self.service.primary()
    }

    /// Starting or running, of whatever revision.
    pub fn live(&self) -> impl Iterator<Item = &Member<'a>> {
        self.members.iter().filter(|member| member.is_live())
    }

    /// Everything that is still something.
    pub fn present(&self) -> usize {
        self.members.iter().filter(|member| !member.is_ended()).count()
    }

    pub fn stopping(&self) -> usize {
        self.members.iter().filter(|member| member.phase == Phase::Stopping).count()
    }

    /// As it is to be: of the PRIMARY deployment, where it may stay, not failing its checks.
    pub fn is_current(&self, member: &Member) -> bool {
        member.deployment == Some(0) && !member.is_draining && !member.is_unhealthy()
    }

    /// Current tasks that count: one that is started only to even out zones does so once it is healthy.
    pub fn counted(&self) -> impl Iterator<Item = &Member<'a>> {
        self.current().filter(|member| !member.is_extra || member.is_healthy())
    }

    pub fn current(&self) -> impl Iterator<Item = &Member<'a>> {
        self.live().filter(|member| self.is_current(member))
    }

    pub fn healthy(&self) -> usize {
        self.live().filter(|member| member.is_healthy()).count()
    }

    pub fn healthy_current(&self) -> usize {
        self.current().filter(|member| member.is_healthy()).count()
    }

    /// Whether the deployment may start tasks now.
    pub fn may_start(&self, deployment: &Deployment) -> bool {
        deployment.rollout != Rollout::Failed && deployment.throttled_until.is_none_or(|until| until <= self.now)
    }

    /// No place was found for its tasks, and nothing has become free since, or only just. Another deployment's may have one.
    pub fn is_waiting_for_place(&self, deployment: &Deployment) -> bool {
        let unplaced = deployment.unplaced.as_ref();
        unplaced.is_some_and(|unplaced| unplaced.freed == self.freed || unplaced.at + PLACE_AGAIN > self.now)
    }

    /// When time alone makes a difference.
    pub fn wake(&self) -> Option<Time> {
        let health = self.members.iter().filter_map(|member| match (member.phase, member.health) {
            (Phase::Running, Health::Unknown(until)) => until,
            _ => None,
        });
        let throttles = self.service.deployments.iter().filter_map(|deployment| deployment.throttled_until);
        let unplaced = self.service.deployments.iter().filter_map(|deployment| deployment.unplaced.as_ref());
        let places = unplaced.filter(|unplaced| unplaced.freed != self.freed).map(|unplaced| unplaced.at + PLACE_AGAIN);
        let protected = self.live().filter_map(|member| member.protected_until);
        let all = health.chain(throttles).chain(protected).chain(places);
        all.filter(|at| *at > self.now).min()
    }
}

/// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
fn bounds(service: &Service, desired: usize) -> (usize, usize) {
    let configuration = service.spec.deployment_configuration.as_ref();
    let percent = |given: Option<i32>, default: usize| given.and_then(|percent| percent.try_into().ok()).unwrap_or(default);
    let (least, most) = if service.is_daemon() { (0, 100) } else { (100, 200) };
    let least = percent(configuration.and_then(|given| given.minimum_healthy_percent), least);
    let most = percent(configuration.and_then(|given| given.maximum_percent), most);
    ((desired * least).div_ceil(100), desired * most / 100)
}

fn checks(image: &Image, service: &Service, deployment: &Deployment) -> Checks {
    let grace = service.spec.health_check_grace_period_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    let grace = Duration::from_secs(grace.unwrap_or_default());
    let definition = task_definition::resolve(image, &service.scope, &deployment.task_definition).ok();
    let nothing = api::TaskDefinition::default();
    Checks::of(definition.map_or(&nothing, |row| &row.definition), pace::healthy_after(image), grace)
}

fn change<'a>(image: &'a Image, service: &Service, primary: &Deployment) -> Option<&'a ServiceDeployment> {
    image.get(primary.change_key(service).as_str())
}

/// The DRAINING instances of its cluster.
fn draining<'a>(image: &'a Image, service: &Service) -> BTreeSet<&'a str> {
    let cluster = format!("{}/{}", service.scope, service.cluster);
    image.by::<ContainerInstance>("draining", cluster).map(|instance| instance.id.as_str()).collect()
}

pub fn cluster_of<'a>(image: &'a Image, service: &Service) -> Option<&'a Cluster> {
    image.get(cluster::key(&service.scope, &service.cluster).as_str())
}
