//! ECS's own sentences: what a service says of itself, after `(service NAME) `, and the `rolloutStateReason` of its
//! deployments. Why a task has no place is for `refusal`.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html

use super::Deployment;
use super::action::Cause;
use super::rebalance::Zones;

pub const STEADY: &str = "has reached a steady state.";

pub const IMPAIRED: &str = "is unable to consistently start tasks successfully.";

pub const STUCK: &str = "was unable to stop or start tasks during a deployment because of the service deployment configuration. \
     Update the minimumHealthyPercent or maximumPercent value and try again.";

pub fn protected(deployment: &Deployment, count: usize) -> String {
    let name = deployment.name();
    format!(
        "was unable to reach steady state because (taskSet {name}) was unable to scale in due to (reason {count} tasks under \
         protection)"
    )
}

/// Some of them, maybe none, in the place of unhealthy ones.
pub fn started<'a>(ids: impl ExactSizeIterator<Item = &'a str>, replaced: usize) -> String {
    let count = ids.len();
    let started = format!("has started {count} tasks: {}.", tasks(ids));
    match replaced {
        0 => started,
        _ => format!("{started} Amazon ECS replaced {replaced} tasks due to an unhealthy status."),
    }
}

/// One that is beside the desired ones until it is healthy.
pub fn rebalancing(zone: &str, task: &str) -> String {
    format!("has started 1 tasks in {zone} to AZ Rebalance: (task {task}).")
}

/// `is not AZ balanced with 3 tasks in a, 1 tasks in b. AZ Rebalancing in progress.`
pub fn unbalanced(zones: &Zones) -> String {
    format!("{UNBALANCED} {}. AZ Rebalancing in progress.", by_zone(zones))
}

/// How that begins.
pub const UNBALANCED: &str = "is not AZ balanced with";

/// `is AZ balanced with 2 tasks in a, 2 tasks in b.`
pub fn balanced(zones: &Zones) -> String {
    format!("is AZ balanced with {}.", by_zone(zones))
}

pub fn stopped_running<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = ids.len();
    format!("has stopped {count} running tasks: {}.", tasks(ids))
}

pub fn stopped_pending(count: usize) -> String {
    format!("stopped {count} pending tasks.")
}

pub fn failed_checks(task: &str) -> String {
    format!("(task {task}) failed container health checks.")
}

pub fn completed(deployment: &Deployment) -> String {
    format!("(deployment {}) deployment completed.", deployment.name())
}

pub fn failed(deployment: &Deployment, cause: Cause) -> String {
    let name = deployment.name();
    match cause {
        Cause::Breaker => format!("(deployment {name}) deployment failed: tasks failed to start."),
        Cause::Asked => format!("(deployment {name}) deployment stopped by a user."),
    }
}

pub fn rolling_back(to: &Deployment) -> String {
    format!("rolling back to deployment {}.", to.name())
}

pub fn in_progress_reason(deployment: &Deployment) -> String {
    format!("ECS deployment {} in progress.", deployment.name())
}

pub fn completed_reason(deployment: &Deployment) -> String {
    format!("ECS deployment {} completed.", deployment.name())
}

pub fn failed_reason(cause: Cause) -> String {
    match cause {
        Cause::Breaker => "ECS deployment circuit breaker: tasks failed to start.".to_owned(),
        Cause::Asked => "Service deployment was stopped by a user.".to_owned(),
    }
}

pub fn rolling_back_reason(cause: Cause, to: &Deployment) -> String {
    let why = match cause {
        Cause::Breaker => "ECS deployment circuit breaker",
        Cause::Asked => "Service deployment was stopped by a user",
    };
    format!("{why}: rolling back to deploymentId {}.", to.name())
}

/// `(task a) (task b)`.
fn tasks<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    ids.map(|id| format!("(task {id})")).collect::<Vec<_>>().join(" ")
}

fn by_zone(zones: &Zones) -> String {
    zones.iter().map(|(zone, count)| format!("{count} tasks in {zone}")).collect::<Vec<_>>().join(", ")
}
