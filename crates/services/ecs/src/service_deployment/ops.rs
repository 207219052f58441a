//! The operations on service deployments.

use super::{ServiceDeployment, key, view};
use crate::cluster;
use crate::paging::page;
use crate::service::{self, Service};
use api_ecs as api;
use api_ecs::{Error, ServiceDeploymentStatus, StopServiceDeploymentStopType};
use base::{Arn, Scope, Time};
use kernel::Call;
use std::cmp::Reverse;
use store::{Image, Tx};

const PER_DESCRIBE: usize = 20;
/// What the list answers where no `maxResults` is given.
const PAGE: i32 = 20;

pub fn describe_service_deployments(
    call: &mut Call,
    image: &Image,
    input: api::DescribeServiceDeploymentsRequest,
) -> Result<api::DescribeServiceDeploymentsResponse, Error> {
    let given = input.service_deployment_arns.unwrap_or_default();
    if given.len() > PER_DESCRIBE {
        return Err(Error::invalid_parameter(format!("Service deployments cannot have more than {PER_DESCRIBE} elements.")));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in given {
        match find(image, &call.scope, &arn)? {
            Some(row) => found.push(view::view(row, image)),
            None => failures.push(api::Failure { arn: Some(arn), reason: Some("MISSING".into()), detail: None }),
        }
    }
    Ok(api::DescribeServiceDeploymentsResponse { service_deployments: Some(found), failures: Some(failures) })
}

/// What an ARN of a service deployment means.
fn find<'a>(image: &'a Image, scope: &Scope, given: &str) -> Result<Option<&'a ServiceDeployment>, Error> {
    let [cluster, service, id] = crate::arn::of_service(scope, "service-deployment", given)?;
    Ok(image.get(key(scope, &cluster, &service, &id).as_str()))
}

/// The newest first.
pub fn list_service_deployments(
    call: &mut Call,
    image: &Image,
    input: api::ListServiceDeploymentsRequest,
) -> Result<api::ListServiceDeploymentsResponse, Error> {
    let service = service_of(image, &call.scope, input.cluster.as_deref(), input.service.as_deref().unwrap_or_default())?;
    let (before, after) = input.created_at.map(|created| (created.before, created.after)).unwrap_or_default();
    let (before, after): (Option<Time>, Option<Time>) = (before.map(Into::into), after.map(Into::into));
    let statuses = input.status.unwrap_or_default();
    let is_wanted = |row: &&ServiceDeployment| {
        (statuses.is_empty() || statuses.contains(&row.status))
            && before.is_none_or(|before| row.created_at <= before)
            && after.is_none_or(|after| row.created_at >= after)
    };
    let prefix = format!("{}/", service.path());
    let mut rows: Vec<&ServiceDeployment> = image.prefix::<ServiceDeployment>(&prefix).filter(is_wanted).collect();
    rows.sort_by_key(|row| (Reverse(row.created_at), &row.id));
    let name = |row: &&ServiceDeployment| format!("{:020}/{}", u64::MAX - row.created_at.0, row.id);
    let max_results = Some(input.max_results.unwrap_or(PAGE));
    let page = page(rows, name, max_results, input.next_token.as_deref())?;
    let briefs = page.items.into_iter().map(view::brief).collect();
    Ok(api::ListServiceDeploymentsResponse { service_deployments: Some(briefs), next_token: page.next_token })
}

/// An ARN says itself which cluster it is of.
fn service_of<'a>(image: &'a Image, scope: &Scope, cluster: Option<&str>, given: &str) -> Result<&'a Service, Error> {
    let arn: Option<Arn> = given.parse().ok();
    let of_arn = arn.as_ref().and_then(|arn| match arn.path()[..] {
        [cluster, _] => Some(cluster),
        _ => None,
    });
    let cluster = cluster::find(image, scope, cluster.filter(|cluster| !cluster.is_empty()).or(of_arn))?;
    service::find(image, cluster, given)?.ok_or_else(|| Error::service_not_found("Service not found."))
}

/// Asks; the scheduler does it.
pub fn stop_service_deployment(
    call: &mut Call,
    tx: &mut Tx,
    input: api::StopServiceDeploymentRequest,
) -> Result<api::StopServiceDeploymentResponse, Error> {
    let given = input.service_deployment_arn.unwrap_or_default();
    let found = find(tx, &call.scope, &given)?;
    let mut row = found.ok_or_else(|| Error::service_deployment_not_found("The service deployment doesn't exist."))?.clone();
    if !matches!(row.status, ServiceDeploymentStatus::Pending | ServiceDeploymentStatus::InProgress) {
        let message = format!("The service deployment can't be stopped because its status is {}.", row.status.as_str());
        return Err(Error::conflict(message, None));
    }
    let stop = input.stop_type.unwrap_or(StopServiceDeploymentStopType::Rollback);
    row.status = match stop {
        StopServiceDeploymentStopType::Abort => ServiceDeploymentStatus::StopRequested,
        _ => ServiceDeploymentStatus::RollbackRequested,
    };
    row.stop = Some(stop);
    row.updated_at = call.now;
    tx.put(row);
    Ok(api::StopServiceDeploymentResponse { service_deployment_arn: Some(given) })
}
