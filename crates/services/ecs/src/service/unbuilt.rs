//! What a service may ask for and this server cannot do yet. Refused before it exists: one that is deployed another way than
//! was asked for is worse than none.

use api_ecs as api;

pub fn refuse(spec: &api::CreateServiceRequest) -> Result<(), api::Error> {
    let configuration = spec.deployment_configuration.clone().unwrap_or_default();
    match of_service(spec).into_iter().chain(of_deployments(&configuration)).find(|(is_asked, _)| *is_asked) {
        Some((_, what)) => Err(api::Error::unsupported_feature(format!("{what} are not supported by this server yet."))),
        None => Ok(()),
    }
}

fn of_service(spec: &api::CreateServiceRequest) -> [(bool, &'static str); 5] {
    let controller = spec.deployment_controller.as_ref().and_then(|controller| controller.r#type.as_ref());
    let is = |wanted: api::DeploymentControllerType| controller == Some(&wanted);
    [
        (is(api::DeploymentControllerType::CodeDeploy), "Deployments by CODE_DEPLOY"),
        (is(api::DeploymentControllerType::External), "Deployments by EXTERNAL controllers"),
        (some(&spec.volume_configurations), "Volumes configured at launch"),
        (some(&spec.vpc_lattice_configurations), "VPC Lattice configurations"),
        (some(&spec.gateway_connectors), "Gateway connectors"),
    ]
}

fn of_deployments(configuration: &api::DeploymentConfiguration) -> [(bool, &'static str); 4] {
    let is_rolling = matches!(configuration.strategy, None | Some(api::DeploymentStrategy::Rolling));
    let shifts = configuration.linear_configuration.is_some() || configuration.canary_configuration.is_some();
    let watches = configuration.alarms.as_ref().is_some_and(|alarms| alarms.enable == Some(true));
    [
        (!is_rolling || shifts, "Deployment strategies other than ROLLING"),
        (watches, "Deployment alarms"),
        (some(&configuration.lifecycle_hooks), "Deployment lifecycle hooks"),
        (configuration.bake_time_in_minutes.is_some_and(|minutes| minutes > 0), "Bake times"),
    ]
}

fn some<T>(list: &Option<Vec<T>>) -> bool {
    list.as_ref().is_some_and(|list| !list.is_empty())
}
