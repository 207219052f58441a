//! A service and its tasks as the documentation of ECS has them, read from rows: what is desired, the bounds around it, who is
//! healthy. Shares no code with the scheduler.

use crate::catalog;
use base::Time;
use ecs::container_instance::ContainerInstance;
use ecs::node::Node;
use ecs::service::{Pace, Service, Status};
use ecs::task::{Last, Task};
use std::time::Duration;
use store::{Image, Key};
use workload::{Desired, Health};

pub struct Fleet<'a> {
    pub image: &'a Image,
    pub service: &'a Service,
    pub now: Time,
    /// Those that are not over, or whose end nobody has drawn conclusions from.
    pub tasks: Vec<&'a Task>,
}

impl<'a> Fleet<'a> {
    pub fn of(image: &'a Image, service: &Key, now: Time) -> Option<Fleet<'a>> {
        let service = image.get::<Service>(service.as_str())?;
        let tasks = image.by::<Task>("service", service.path()).collect();
        Some(Fleet { image, service, now, tasks })
    }

    pub fn name(&self) -> &str {
        &self.service.name
    }

    pub fn task(&self, id: &str) -> Option<&'a Task> {
        self.image.get(ecs::task::key(&self.service.scope, &self.service.cluster, id).as_str())
    }

    /// To run, and not over.
    pub fn live(&self) -> impl Iterator<Item = &'a Task> {
        self.tasks.iter().copied().filter(|task| task.desired == Desired::Running)
    }

    pub fn desired(&self) -> usize {
        match self.service.status {
            Status::Active if self.service.is_daemon() => self.places().len(),
            Status::Active => self.service.spec.desired_count.unwrap_or(0).unsigned_abs() as usize,
            _ => 0,
        }
    }

    pub fn floor(&self) -> usize {
        let percent = self.percents().0 as f64 / 100.0;
        (self.desired() as f64 * percent - 1e-9).ceil() as usize
    }

    pub fn ceiling(&self) -> usize {
        let percent = self.percents().1 as f64 / 100.0;
        (self.desired() as f64 * percent + 1e-9).floor() as usize
    }

    fn percents(&self) -> (i32, i32) {
        let (least, most) = if self.service.is_daemon() { (0, 100) } else { (100, 200) };
        let given = self.service.spec.deployment_configuration.clone().unwrap_or_default();
        (given.minimum_healthy_percent.unwrap_or(least), given.maximum_percent.unwrap_or(most))
    }

    pub fn healthy(&self) -> usize {
        self.live().filter(|task| self.is_healthy(task)).count()
    }

    /// RUNNING, and said to be healthy by all that check it; if nothing does, for as long as it takes to believe it.
    pub fn is_healthy(&self, task: &Task) -> bool {
        let (Some(started_at), Last::Running, Desired::Running) = (task.started_at, task.last, task.desired) else {
            return false;
        };
        let mut checks = self.checks(task).peekable();
        match checks.peek() {
            None => started_at + self.patience() <= self.now,
            Some(_) => checks.all(|health| health == Health::Healthy),
        }
    }

    /// Its checks fail, and the grace period is over.
    pub fn is_unhealthy(&self, task: &Task) -> bool {
        let grace = self.service.spec.health_check_grace_period_seconds.unwrap_or(0).unsigned_abs();
        let is_over = task.started_at.is_some_and(|at| at + Duration::from_secs(grace.into()) <= self.now);
        is_over && self.checks(task).any(|health| health == Health::Unhealthy)
    }

    fn checks(&self, task: &Task) -> impl Iterator<Item = Health> {
        let definition = task.definition(self.image).map(|row| &row.definition);
        let declared = definition.into_iter().flat_map(|definition| definition.container_definitions.iter().flatten());
        let checked = declared.filter(|container| container.essential != Some(false) && container.health_check.is_some());
        let said = |name: &String| task.status.containers.iter().find(|status| status.name == *name).map(|status| status.health);
        checked
            .filter_map(|container| container.name.as_ref())
            .map(|name| said(name).unwrap_or_default())
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(self.image.get::<Pace>("").map_or(40_000, |pace| pace.healthy_after_ms))
    }

    pub fn is_of_primary(&self, task: &Task) -> bool {
        let primary = self.service.deployments.first().map(|deployment| &deployment.id);
        task.member.as_ref().map(|member| &member.deployment) == primary
    }

    /// As it is to be, and where it may be.
    pub fn is_current(&self, task: &Task) -> bool {
        self.is_of_primary(task) && !self.is_unhealthy(task) && !self.instance(task).is_some_and(|instance| instance.draining)
    }

    pub fn instance(&self, task: &Task) -> Option<&'a ContainerInstance> {
        self.image.scan::<ContainerInstance>().find(|instance| Some(&instance.id) == task.container_instance.as_ref())
    }

    /// Instances that a daemon is to be on.
    pub fn places(&self) -> Vec<&'a ContainerInstance> {
        let family = self.family();
        let has_one = |instance: &ContainerInstance| {
            self.tasks.iter().any(|task| !task.is_stopped() && task.container_instance.as_ref() == Some(&instance.id))
        };
        let node = |instance: &ContainerInstance| self.image.get::<Node>(&instance.node);
        let is_place = |instance: &&ContainerInstance| {
            let node = node(instance);
            instance.cluster == self.service.cluster
                && !instance.draining
                && (has_one(instance) || node.is_some_and(|node| node.connected))
                && node.is_some_and(|node| catalog::may_be_in(family, &node.facts.availability_zone))
        };
        self.image.scan::<ContainerInstance>().filter(is_place).collect()
    }

    /// Of what the PRIMARY deployment runs.
    pub fn family(&self) -> &'a str {
        let definition = self.service.deployments.first().map(|deployment| deployment.task_definition.as_str());
        let name = definition.and_then(|arn| arn.rsplit('/').next()).unwrap_or_default();
        name.split(':').next().unwrap_or_default()
    }

    /// Auto Scaling groups that its tasks are shared out over: each has the name of its capacity provider.
    pub fn groups(&self) -> impl Iterator<Item = &'a str> {
        let items = self.service.spec.capacity_provider_strategy.iter().flatten();
        let names = items.filter_map(|item| item.capacity_provider.as_deref());
        names.filter(|name| !name.starts_with("FARGATE"))
    }

    /// A daemon's task that is where none is to be, or where there is another.
    pub fn is_misplaced_daemon(&self, task: &Task) -> bool {
        let is_there = |instance: &&ContainerInstance| Some(&instance.id) == task.container_instance.as_ref();
        let others = self.live().filter(|other| other.id != task.id && other.container_instance == task.container_instance);
        self.service.is_daemon() && (!self.places().iter().any(is_there) || others.count() > 0)
    }
}
