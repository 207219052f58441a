//! DescribeServices and the lists of services.

use super::{Service, Status, find, view};
use crate::cluster::{self, Cluster};
use crate::paging::page;
use api_ecs as api;
use api_ecs::Error;
use base::limits::SERVICES_PER_DESCRIBE;
use kernel::Call;
use store::Image;

/// What the lists answer where no `maxResults` is given.
const PAGE: i32 = 10;

pub fn describe_services(
    call: &mut Call,
    image: &Image,
    input: api::DescribeServicesRequest,
) -> Result<api::DescribeServicesResponse, Error> {
    let cluster = cluster::find(image, &call.scope, input.cluster.as_deref())?;
    let given = input.services.unwrap_or_default();
    if given.is_empty() {
        return Err(Error::invalid_parameter("Services cannot be empty."));
    }
    if given.len() > SERVICES_PER_DESCRIBE {
        return Err(Error::invalid_parameter(format!("Services cannot have more than {SERVICES_PER_DESCRIBE} elements.")));
    }
    let with_tags = input.include.iter().flatten().any(|field| *field == api::ServiceField::Tags);
    let (mut services, mut failures) = (Vec::new(), Vec::new());
    for one in &given {
        match find(image, cluster, one)? {
            Some(service) => services.push(view::view(service, image, with_tags)),
            None => failures.push(missing(cluster, one)?),
        }
    }
    Ok(api::DescribeServicesResponse { services: Some(services), failures: Some(failures) })
}

/// Under its ARN, whichever way it was named.
fn missing(cluster: &Cluster, given: &str) -> Result<api::Failure, Error> {
    let name = crate::arn::in_cluster(&cluster.scope, "service", &cluster.name, given)?;
    let arn = super::arn(&cluster.scope, &cluster.name, name);
    Ok(api::Failure { arn: Some(arn), reason: Some("MISSING".into()), detail: None })
}

/// Those that drain are not listed any more.
pub fn list_services(
    call: &mut Call,
    image: &Image,
    input: api::ListServicesRequest,
) -> Result<api::ListServicesResponse, Error> {
    let cluster = cluster::find(image, &call.scope, input.cluster.as_deref())?;
    let is_wanted = |service: &&Service| {
        service.status == Status::Active
            && input.launch_type.as_ref().is_none_or(|wanted| service.spec.launch_type.as_ref() == Some(wanted))
            && input.scheduling_strategy.as_ref().is_none_or(|wanted| service.spec.scheduling_strategy.as_ref() == Some(wanted))
            // Express services alone are managed by ECS.
            && input.resource_management_type.as_ref().is_none_or(|wanted| *wanted == api::ResourceManagementType::Customer)
    };
    let prefix = format!("{}/{}/", cluster.scope, cluster.name);
    let services = image.prefix::<Service>(&prefix).filter(is_wanted);
    let max_results = Some(input.max_results.unwrap_or(PAGE));
    let page = page(services, |service| service.name.clone(), max_results, input.next_token.as_deref())?;
    let arns = page.items.into_iter().map(Service::arn).collect();
    Ok(api::ListServicesResponse { service_arns: Some(arns), next_token: page.next_token })
}

/// Of every cluster of the account.
pub fn list_services_by_namespace(
    call: &mut Call,
    image: &Image,
    input: api::ListServicesByNamespaceRequest,
) -> Result<api::ListServicesByNamespaceResponse, Error> {
    let wanted = last_part(input.namespace.as_deref().unwrap_or_default());
    let is_wanted = |service: &&Service| {
        service.status == Status::Active && namespace(image, service).is_some_and(|namespace| last_part(namespace) == wanted)
    };
    let services = image.prefix::<Service>(&format!("{}/", call.scope)).filter(is_wanted);
    let max_results = Some(input.max_results.unwrap_or(PAGE));
    let page = page(services, |service| service.path(), max_results, input.next_token.as_deref())?;
    let arns = page.items.into_iter().map(Service::arn).collect();
    Ok(api::ListServicesByNamespaceResponse { service_arns: Some(arns), next_token: page.next_token })
}

/// Its own, else the cluster's, if it is in one at all.
fn namespace<'a>(image: &'a Image, service: &'a Service) -> Option<&'a str> {
    let connect = service.spec.service_connect_configuration.as_ref().filter(|connect| connect.enabled == Some(true))?;
    let of_cluster = || {
        let cluster = image.get::<Cluster>(cluster::key(&service.scope, &service.cluster).as_str())?;
        cluster.service_connect_defaults.as_ref()?.namespace.as_deref()
    };
    connect.namespace.as_deref().or_else(of_cluster)
}

/// A namespace is given as its name or as its ARN.
fn last_part(namespace: &str) -> &str {
    namespace.rsplit('/').next().unwrap_or_default()
}
