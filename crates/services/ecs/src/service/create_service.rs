//! CreateService: a row, its first deployment, and nothing started yet.

use super::token::Token;
use super::{Events, OF_CLUSTER, Service, Status, check, defaults, deploy, key, reach, unbuilt, view};
use crate::cluster::{self, Cluster};
use crate::tags;
use crate::task::launch::startable;
use api_ecs as api;
use base::limits::SERVICES_PER_CLUSTER;
use kernel::Call;
use store::{Image, Tx};

pub fn create_service(
    call: &mut Call,
    tx: &mut Tx,
    input: api::CreateServiceRequest,
) -> Result<api::CreateServiceResponse, api::Error> {
    let cluster = cluster::find(tx, &call.scope, input.cluster.as_deref())?.clone();
    let name = input.service_name.clone().unwrap_or_default();
    check::check_name(&name)?;
    let token = Token::of(&input)?;
    if let Some(existing) = existing(tx, &cluster, &name, token.as_ref())? {
        return Ok(api::CreateServiceResponse { service: Some(view::view(existing, tx, true)) });
    }
    let tags = input.tags.clone().unwrap_or_default();
    tags::check(&tags)?;
    let spec = spec(tx, &cluster, input)?;
    refuse_another(tx, &cluster)?;
    // What is left of a service that had the name.
    tx.delete::<Events>(key(&call.scope, &cluster.name, &name).as_str());
    let mut service = Service::new(call, &cluster.name, &name, spec);
    (service.tags, service.token) = (tags, token);
    deploy(call, tx, &mut service);
    let service_view = view::view(&service, tx, true);
    tx.put(service);
    Ok(api::CreateServiceResponse { service: Some(service_view) })
}

/// The service that this very request made, if it did. Any other one that is not gone stands in its way.
fn existing<'a>(tx: &'a Tx, cluster: &Cluster, name: &str, token: Option<&Token>) -> Result<Option<&'a Service>, api::Error> {
    let found = tx.get::<Service>(key(&cluster.scope, &cluster.name, name).as_str());
    match found {
        Some(service) if service.status == Status::Active && token.is_some() && service.token.as_ref() == token => Ok(found),
        Some(service) if service.status == Status::Active => {
            Err(api::Error::invalid_parameter("Creation of service was not idempotent."))
        }
        Some(service) if service.status == Status::Draining => {
            Err(api::Error::invalid_parameter("Unable to Start a service that is still Draining."))
        }
        _ => Ok(None),
    }
}

/// Of a cluster that has as many services as it may: those that drain count, those that are gone do not. Which error a quota
/// is, the model says; the sentence is nowhere documented.
fn refuse_another(image: &Image, cluster: &Cluster) -> Result<(), api::Error> {
    let count = image.count_by::<Service>(OF_CLUSTER, format_args!("{}/{}", cluster.scope, cluster.name));
    if count < SERVICES_PER_CLUSTER {
        return Ok(());
    }
    let sentence = format!("You've reached the limit on the number of services in a cluster, which is {SERVICES_PER_CLUSTER}.");
    Err(api::Error::client(sentence))
}

/// What is asked for, complete and allowed.
fn spec(tx: &Tx, cluster: &Cluster, input: api::CreateServiceRequest) -> Result<api::CreateServiceRequest, api::Error> {
    unbuilt::refuse(&input)?;
    let Some(definition) = input.task_definition.as_deref().filter(|given| !given.is_empty()) else {
        return Err(api::Error::invalid_parameter("TaskDefinition can not be blank."));
    };
    let definition = startable(tx, &cluster.scope, definition)?;
    let task_definition = Some(definition.arn());
    let mut spec =
        api::CreateServiceRequest { cluster: None, service_name: None, tags: None, client_token: None, task_definition, ..input };
    spec.role = spec.role.filter(|role| !role.is_empty());
    defaults::fill(cluster, &mut spec);
    reach::check_role(&spec)?;
    check::check(cluster, definition, &spec)?;
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Plane, scope};
    use serde_json::{Value, json};

    fn service(name: &str) -> Value {
        json!({ "serviceName": name, "taskDefinition": "web", "desiredCount": 0 })
    }

    #[test]
    fn a_cluster_has_so_many_services_and_those_that_are_gone_do_not_count() {
        let mut plane = Plane::with_node();
        plane.define("web", json!({ "containerDefinitions": [{ "name": "a", "image": "b", "memory": 16 }] }));
        for name in ["first", "gone"] {
            plane.ok("CreateService", service(name));
        }
        plane.ok("DeleteService", json!({ "service": "gone" }));
        plane.write(|tx| {
            let first = tx.get::<Service>(key(&scope(), "default", "first").as_str()).expect("it was made").clone();
            (2..SERVICES_PER_CLUSTER).for_each(|number| tx.put(Service { name: format!("s{number}"), ..first.clone() }));
        });
        plane.ok("CreateService", service("last"));
        let refused = plane.refused("CreateService", service("one-more"));
        assert_eq!(refused, "ClientException: You've reached the limit on the number of services in a cluster, which is 5000.");
        // The one that is there is answered, and another cluster has its own.
        plane.ok("CreateCluster", json!({ "clusterName": "other" }));
        let elsewhere = json!({ "cluster": "other", "serviceName": "one-more", "taskDefinition": "web", "desiredCount": 0 });
        plane.ok("CreateService", elsewhere);
        plane.ok("DeleteService", json!({ "service": "last" }));
        plane.ok("CreateService", service("one-more"));
    }
}
