//! What services tell: actions of their scheduler, and how their deployments go.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_events.html
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/track-service-rebalancing.html
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html

use super::{Kind, Subject, iso, tell};
use crate::cluster;
use crate::service::Service;
use api_ecs::DeploymentRolloutState;
use base::Scope;
use kernel::Call;
use serde::Serialize;
use store::Tx;

/// The service that an event is of.
#[derive(Clone, Debug)]
pub struct Of<'a> {
    pub scope: &'a Scope,
    /// The cluster's name.
    pub cluster: &'a str,
    pub service_arn: String,
}

impl<'a> From<&'a Service> for Of<'a> {
    fn from(service: &'a Service) -> Of<'a> {
        Of { scope: &service.scope, cluster: &service.cluster, service_arn: service.arn() }
    }
}

/// `eventName` of a service action; what kind of event it is follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    SteadyState,
    TaskSetSteadyState,
    CapacityProviderSteadyState,
    DesiredCountUpdated,
    TasksStopped,
    TasksStarted,
    RebalancingStarted,
    RebalancingCompleted,
    RebalancingStopped,
    TaskStartImpaired,
    DiscoveryInstanceUnhealthy,
    VpcLatticeTargetUnhealthy,
    DaemonPlacementConstraintViolated,
    OperationThrottled,
    DiscoveryOperationThrottled,
    TaskPlacementFailure,
    TaskConfigurationFailure,
    HealthUnknown,
}

impl Action {
    pub fn as_str(self) -> &'static str {
        self.names().1
    }

    /// `eventType` and `eventName`.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Action::SteadyState => ("INFO", "SERVICE_STEADY_STATE"),
            Action::TaskSetSteadyState => ("INFO", "TASKSET_STEADY_STATE"),
            Action::CapacityProviderSteadyState => ("INFO", "CAPACITY_PROVIDER_STEADY_STATE"),
            Action::DesiredCountUpdated => ("INFO", "SERVICE_DESIRED_COUNT_UPDATED"),
            Action::TasksStopped => ("INFO", "TASKS_STOPPED"),
            Action::RebalancingStarted => ("INFO", "SERVICE_REBALANCING_STARTED"),
            Action::TasksStarted => ("INFO", "TASKS_STARTED"),
            Action::RebalancingCompleted => ("INFO", "SERVICE_REBALANCING_COMPLETED"),
            Action::RebalancingStopped => ("INFO", "SERVICE_REBALANCING_STOPPED"),
            Action::TaskStartImpaired => ("WARN", "SERVICE_TASK_START_IMPAIRED"),
            Action::DiscoveryInstanceUnhealthy => ("WARN", "SERVICE_DISCOVERY_INSTANCE_UNHEALTHY"),
            Action::VpcLatticeTargetUnhealthy => ("WARN", "VPC_LATTICE_TARGET_UNHEALTHY"),
            Action::DaemonPlacementConstraintViolated => ("ERROR", "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED"),
            Action::OperationThrottled => ("ERROR", "ECS_OPERATION_THROTTLED"),
            Action::DiscoveryOperationThrottled => ("ERROR", "SERVICE_DISCOVERY_OPERATION_THROTTLED"),
            Action::TaskPlacementFailure => ("ERROR", "SERVICE_TASK_PLACEMENT_FAILURE"),
            Action::TaskConfigurationFailure => ("ERROR", "SERVICE_TASK_CONFIGURATION_FAILURE"),
            Action::HealthUnknown => ("ERROR", "SERVICE_HEALTH_UNKNOWN"),
        }
    }
}

/// What some actions say besides their name; empty members are left out.
#[derive(Clone, Debug, Default)]
pub struct ServiceAction {
    /// `RESOURCE:CPU` of a placement that failed.
    pub reason: Option<String>,
    pub capacity_provider_arns: Vec<String>,
    pub container_instance_arns: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ActionDetail<'a> {
    event_type: &'a str,
    event_name: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    capacity_provider_arns: &'a [String],
    cluster_arn: String,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    container_instance_arns: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    created_at: String,
}

/// `ECS Service Action`.
pub fn service_action(call: &mut Call, tx: &mut Tx, of: Of<'_>, action: Action, more: &ServiceAction) {
    let (event_type, event_name) = action.names();
    let detail = ActionDetail {
        event_type,
        event_name,
        capacity_provider_arns: &more.capacity_provider_arns,
        cluster_arn: cluster::arn(of.scope, of.cluster),
        container_instance_arns: &more.container_instance_arns,
        reason: more.reason.as_deref(),
        created_at: iso(call.now),
    };
    tell(call, tx, subject(Kind::ServiceAction, of), &detail);
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeploymentDetail<'a> {
    event_type: &'a str,
    event_name: &'a str,
    deployment_id: &'a str,
    updated_at: String,
    reason: &'a str,
}

/// `ECS Deployment State Change`; the reason is the deployment's `rolloutStateReason`.
pub fn deployment_state_change(
    call: &mut Call,
    tx: &mut Tx,
    of: Of<'_>,
    deployment_id: &str,
    state: &DeploymentRolloutState,
    reason: &str,
) {
    let (event_type, event_name) = match state {
        DeploymentRolloutState::Failed => ("ERROR", "SERVICE_DEPLOYMENT_FAILED"),
        DeploymentRolloutState::Completed => ("INFO", "SERVICE_DEPLOYMENT_COMPLETED"),
        _ => ("INFO", "SERVICE_DEPLOYMENT_IN_PROGRESS"),
    };
    let detail = DeploymentDetail { event_type, event_name, deployment_id, updated_at: iso(call.now), reason };
    tell(call, tx, subject(Kind::Deployment, of), &detail);
}

fn subject(kind: Kind, of: Of<'_>) -> Subject<'_> {
    Subject { kind, scope: of.scope, cluster: of.cluster, resource: of.service_arn }
}
