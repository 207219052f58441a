//! Ending tasks of a service, and drawing conclusions from their ends.

use super::events::{say, tasks};
use super::reconcile::{Ended, Stop, Why};
use super::{Complaint, Service, throttle, unhealthy};
use crate::container_instance::{self, ContainerInstance};
use crate::state_events::{self, ServiceAction};
use crate::task::{self, Task};
use api_ecs::TaskStopCode;
use kernel::Call;
use std::collections::BTreeMap;
use store::Tx;

const UNHEALTHY: &str = "Task failed container health checks";
const IMPAIRED: &str = "is unable to consistently start tasks successfully.";
const DRAINING: &str = "Task stopped because its container instance is in DRAINING state";

pub fn stop(call: &mut Call, tx: &mut Tx, service: &Service, stops: Vec<Stop>) {
    tell_misplaced(call, tx, service, &stops);
    let deployment = service.primary().map(super::Deployment::name).unwrap_or_default();
    for stop in &stops {
        let reason = match stop.why {
            Why::Scaling | Why::Misplaced => format!("Scaling activity initiated by (deployment {deployment})"),
            Why::Unhealthy => UNHEALTHY.to_owned(),
            Why::Draining => DRAINING.to_owned(),
        };
        end(call, tx, service, &stop.task, reason);
        if stop.why == Why::Unhealthy {
            say(call, tx, service, &format!("(task {}) failed container health checks.", stop.task));
        }
    }
    let unhealthy = stops.iter().filter(|stop| stop.why == Why::Unhealthy);
    unhealthy::stopped(tx, service, unhealthy.map(|stop| stop.task.as_str()));
    let (running, pending): (Vec<&Stop>, Vec<&Stop>) = stops.iter().partition(|stop| stop.is_running);
    if !running.is_empty() {
        let ids = tasks(running.iter().map(|stop| stop.task.as_str()));
        say(call, tx, service, &format!("has stopped {} running tasks: {ids}.", running.len()));
    }
    if !pending.is_empty() {
        say(call, tx, service, &format!("stopped {} pending tasks.", pending.len()));
    }
    state_events::service_action(call, tx, service.into(), state_events::Action::TasksStopped, &ServiceAction::default());
}

/// Instances that are no more have violated nothing.
fn tell_misplaced(call: &mut Call, tx: &mut Tx, service: &Service, stops: &[Stop]) {
    let misplaced = stops.iter().filter(|stop| stop.why == Why::Misplaced);
    let key = |stop: &Stop| task::key(&service.scope, &service.cluster, &stop.task);
    let ids = misplaced.filter_map(|stop| tx.get::<Task>(key(stop).as_str())?.container_instance.as_deref());
    let instances = ids.map(|id| container_instance::key(&service.scope, &service.cluster, id));
    let instances = instances.filter_map(|key| tx.get::<ContainerInstance>(key.as_str()));
    let container_instance_arns: Vec<String> = instances.map(ContainerInstance::arn).collect();
    if container_instance_arns.is_empty() {
        return;
    }
    let violated = state_events::Action::DaemonPlacementConstraintViolated;
    let more = ServiceAction { container_instance_arns, ..ServiceAction::default() };
    state_events::service_action(call, tx, service.into(), violated, &more);
}

fn end(call: &mut Call, tx: &mut Tx, service: &Service, id: &str, reason: String) {
    let key = task::key(&service.scope, &service.cluster, id);
    let Some(mut task) = tx.get::<Task>(key.as_str()).cloned() else { return };
    if task::ask_to_stop(&mut task, TaskStopCode::ServiceSchedulerInitiated, reason, call.now) {
        task::put(call, tx, task);
    }
}

/// Failures count for the circuit breaker one by one, and hold starting back once, however many there are at a time.
pub fn count(call: &mut Call, tx: &mut Tx, mut service: Service, ended: Vec<Ended>) {
    let mut failures: BTreeMap<String, Failures> = BTreeMap::new();
    for Ended { task, failed } in ended {
        let key = task::key(&service.scope, &service.cluster, &task);
        tx.update::<Task>(key.as_str(), |task| task.member.iter_mut().for_each(|member| member.is_counted = true));
        let Some(deployment) = failed else { continue };
        let of_it = failures.entry(deployment).or_default();
        of_it.count += 1;
        of_it.is_setback |= tx.get::<Task>(key.as_str()).is_some_and(is_setback);
    }
    if failures.is_empty() {
        return;
    }
    let mut is_consistent = false;
    for deployment in &mut service.deployments {
        let Some(of_it) = failures.get(&deployment.id) else { continue };
        deployment.failed_tasks = deployment.failed_tasks.saturating_add(of_it.count);
        if of_it.is_setback && throttle::is_new(deployment.throttled_until, call.now) {
            deployment.setbacks += 1;
            deployment.throttled_until = Some(call.now + throttle::delay(deployment.setbacks));
            is_consistent |= deployment.setbacks == throttle::CONSISTENT;
        }
        deployment.updated_at = call.now;
    }
    // Of several deployments each may come to that.
    if is_consistent && !service.has_said(IMPAIRED, call.now) {
        say(call, tx, &service, IMPAIRED);
        service.complaint = Some(Complaint { cause: IMPAIRED.to_owned(), said_at: call.now });
        let impaired = state_events::Action::TaskStartImpaired;
        state_events::service_action(call, tx, (&service).into(), impaired, &ServiceAction::default());
    }
    tx.put(service);
}

/// Of one deployment.
#[derive(Default)]
struct Failures {
    count: u32,
    is_setback: bool,
}

/// One that was stopped for its failed checks did start; the checks themselves take long enough.
/// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-throttle-logic.html
fn is_setback(task: &Task) -> bool {
    task.stop_code != Some(TaskStopCode::ServiceSchedulerInitiated)
}
