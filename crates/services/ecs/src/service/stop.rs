//! Ending tasks of a service, and drawing conclusions from their ends.

use super::action::{Ended, Stop, Why};
use super::events::say;
use super::{Complaint, Deployment, Service, sentences, tell, throttle, unhealthy};
use crate::container_instance::{self, ContainerInstance};
use crate::state_events::{Action, ServiceAction};
use crate::task::{self, Task};
use api_ecs::TaskStopCode;
use base::Time;
use kernel::Call;
use std::collections::BTreeMap;
use store::Tx;

pub fn stop(call: &mut Call, tx: &mut Tx, service: &Service, stops: Vec<Stop>) {
    tell_misplaced(call, tx, service, &stops);
    for stop in &stops {
        end(call, tx, service, stop);
        if stop.why == Why::Unhealthy {
            say(call, tx, service, &sentences::failed_checks(&stop.task));
        }
    }
    let unhealthy = stops.iter().filter(|stop| stop.why == Why::Unhealthy);
    unhealthy::stopped(tx, service, unhealthy.map(|stop| stop.task.as_str()));
    say_stopped(call, tx, service, &stops);
    tell::action(call, tx, service, Action::TasksStopped);
}

/// Instances that are no more have violated nothing.
fn tell_misplaced(call: &mut Call, tx: &mut Tx, service: &Service, stops: &[Stop]) {
    let misplaced = stops.iter().filter(|stop| stop.why == Why::Misplaced);
    let key = |stop: &Stop| task::key(&service.scope, &service.cluster, &stop.task);
    let ids = misplaced.filter_map(|stop| tx.get::<Task>(key(stop).as_str())?.container_instance.as_deref());
    let instances = ids.map(|id| container_instance::key(&service.scope, &service.cluster, id));
    let instances = instances.filter_map(|key| tx.get::<ContainerInstance>(key.as_str()));
    let container_instance_arns: Vec<String> = instances.map(ContainerInstance::arn).collect();
    if !container_instance_arns.is_empty() {
        let more = ServiceAction { container_instance_arns, ..ServiceAction::default() };
        tell::action_of(call, tx, service, Action::DaemonPlacementConstraintViolated, &more);
    }
}

fn end(call: &mut Call, tx: &mut Tx, service: &Service, stop: &Stop) {
    let key = task::key(&service.scope, &service.cluster, &stop.task);
    let Some(mut task) = tx.get::<Task>(key.as_str()).cloned() else { return };
    if task::ask_to_stop(&mut task, TaskStopCode::ServiceSchedulerInitiated, stopped_reason(service, stop.why), call.now) {
        task::put(call, tx, task);
    }
}

/// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
fn stopped_reason(service: &Service, why: Why) -> String {
    let deployment = || service.primary().map(Deployment::name).unwrap_or_default();
    match why {
        Why::Scaling | Why::Misplaced => format!("Scaling activity initiated by (deployment {})", deployment()),
        Why::Unhealthy => "Task failed container health checks".to_owned(),
        Why::Draining => "Task stopped because its container instance is in DRAINING state".to_owned(),
    }
}

fn say_stopped(call: &mut Call, tx: &mut Tx, service: &Service, stops: &[Stop]) {
    let (running, pending): (Vec<&Stop>, Vec<&Stop>) = stops.iter().partition(|stop| stop.is_running);
    if !running.is_empty() {
        say(call, tx, service, &sentences::stopped_running(running.iter().map(|stop| stop.task.as_str())));
    }
    if !pending.is_empty() {
        say(call, tx, service, &sentences::stopped_pending(pending.len()));
    }
}

/// Failures count for the circuit breaker one by one, and hold starting back once, however many there are at a time.
pub fn count(call: &mut Call, tx: &mut Tx, mut service: Service, ended: Vec<Ended>) {
    let failures = failures(tx, &service, ended);
    if failures.is_empty() {
        return;
    }
    let mut is_consistent = false;
    for deployment in &mut service.deployments {
        if let Some(failures) = failures.get(&deployment.id) {
            is_consistent |= blame(deployment, failures, call.now);
        }
    }
    // Of several deployments each may come to that.
    if is_consistent && !service.has_said(sentences::IMPAIRED, call.now) {
        say(call, tx, &service, sentences::IMPAIRED);
        service.complaint = Some(Complaint { cause: sentences::IMPAIRED.to_owned(), said_at: call.now });
        tell::action(call, tx, &service, Action::TaskStartImpaired);
    }
    tx.put(service);
}

/// Of one deployment.
#[derive(Default)]
struct Failures {
    count: u32,
    is_setback: bool,
}

/// By deployment; each of these ends is taken account of once.
fn failures(tx: &mut Tx, service: &Service, ended: Vec<Ended>) -> BTreeMap<String, Failures> {
    let mut failures: BTreeMap<String, Failures> = BTreeMap::new();
    for Ended { task, failed } in ended {
        let key = task::key(&service.scope, &service.cluster, &task);
        tx.update::<Task>(key.as_str(), |task| task.member.iter_mut().for_each(|member| member.is_counted = true));
        let Some(deployment) = failed else { continue };
        let of_it = failures.entry(deployment).or_default();
        of_it.count += 1;
        of_it.is_setback |= tx.get::<Task>(key.as_str()).is_some_and(is_setback);
    }
    failures
}

/// One that was stopped for its failed checks did start; the checks themselves take long enough.
/// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-throttle-logic.html
fn is_setback(task: &Task) -> bool {
    task.stop_code != Some(TaskStopCode::ServiceSchedulerInitiated)
}

/// Whether that makes it one that consistently cannot start its tasks.
fn blame(deployment: &mut Deployment, failures: &Failures, now: Time) -> bool {
    deployment.failed_tasks = deployment.failed_tasks.saturating_add(failures.count);
    deployment.updated_at = now;
    let is_new = failures.is_setback && throttle::is_new(deployment.throttled_until, now);
    if is_new {
        deployment.setbacks += 1;
        deployment.throttled_until = Some(now + throttle::delay(deployment.setbacks));
    }
    is_new && deployment.setbacks == throttle::CONSISTENT
}
