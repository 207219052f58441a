//! `networkConfiguration`: required where a task has an address of its own, refused where it has not.

use api_ecs as api;

const SUBNETS: usize = 16;
const SECURITY_GROUPS: usize = 5;

pub fn check(
    definition: &api::TaskDefinition,
    configuration: Option<&api::NetworkConfiguration>,
    launch_type: &api::LaunchType,
) -> Result<(), api::Error> {
    let given = configuration.and_then(|configuration| configuration.awsvpc_configuration.as_ref());
    match (is_awsvpc(definition), given) {
        (true, None) => refuse("Network Configuration must be provided when networkMode 'awsvpc' is specified."),
        (false, Some(_)) => refuse("Network Configuration is not valid for the given networkMode of this task definition."),
        (false, None) => Ok(()),
        (true, Some(given)) => check_given(given, launch_type),
    }
}

pub fn is_awsvpc(definition: &api::TaskDefinition) -> bool {
    definition.network_mode == Some(api::NetworkMode::Awsvpc)
}

fn check_given(given: &api::AwsVpcConfiguration, launch_type: &api::LaunchType) -> Result<(), api::Error> {
    let count = |list: &Option<Vec<String>>| list.as_ref().map_or(0, Vec::len);
    if count(&given.subnets) == 0 {
        return refuse("subnets can not be empty.");
    }
    if count(&given.subnets) > SUBNETS {
        return refuse(&format!("subnets can have at most {SUBNETS} items."));
    }
    if count(&given.security_groups) > SECURITY_GROUPS {
        return refuse(&format!("securityGroups can have at most {SECURITY_GROUPS} items."));
    }
    if given.assign_public_ip == Some(api::AssignPublicIp::Enabled) && *launch_type != api::LaunchType::Fargate {
        return refuse("Assign public IP is not supported for this launch type.");
    }
    Ok(())
}

fn refuse(message: &str) -> Result<(), api::Error> {
    Err(api::Error::invalid_parameter(message))
}
