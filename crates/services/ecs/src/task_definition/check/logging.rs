//! Rules on log drivers and the FireLens router.

use super::environment::is_arn_of;
use super::{Definition, Verdict, items, name_of, refuse, refuse_if};
use api_ecs::{ContainerDefinition, FirelensConfiguration, LogConfiguration, LogDriver};

pub fn check(definition: &Definition) -> Verdict {
    for container in definition.containers {
        if let Some(log) = &container.log_configuration {
            required_options(log)?;
            disallowed_options(log)?;
        }
        if let Some(router) = &container.firelens_configuration {
            router_configuration(container, router)?;
        }
    }
    routers(definition)
}

fn required_options(log: &LogConfiguration) -> Verdict {
    let (driver, required) = match &log.log_driver {
        Some(LogDriver::Awslogs) => ("awslogs", ["awslogs-region", "awslogs-group"]),
        Some(LogDriver::Splunk) => ("splunk", ["splunk-token", "splunk-url"]),
        _ => return Ok(()),
    };
    let missing: Vec<&str> = required.into_iter().filter(|option| !has_option(log, option)).collect();
    refuse_if(!missing.is_empty(), || format!("Log driver {driver} requires options: {}", missing.join(", ")))
}

fn has_option(log: &LogConfiguration, option: &str) -> bool {
    let plain = log.options.as_ref().and_then(|options| options.get(option)).is_some_and(|value| !value.is_empty());
    plain || items(&log.secret_options).iter().any(|secret| secret.name.as_deref() == Some(option))
}

/// Where the agent's endpoints lie is AWS's business.
fn disallowed_options(log: &LogConfiguration) -> Verdict {
    let awslogs = log.log_driver == Some(LogDriver::Awslogs);
    let disallowed = ["awslogs-credentials-endpoint", "awslogs-endpoint"];
    let given: Vec<&str> = disallowed.into_iter().filter(|option| has_option(log, option)).collect();
    refuse_if(awslogs && !given.is_empty(), || format!("Log driver awslogs disallows options: {}", given.join(", ")))
}

fn router_configuration(container: &ContainerDefinition, router: &FirelensConfiguration) -> Verdict {
    let option = |name: &str| router.options.as_ref().and_then(|options| options.get(name)).map(String::as_str);
    match (option("config-file-type"), option("config-file-value")) {
        (None, None) => Ok(()),
        (Some("s3"), Some(value)) => refuse_if(!is_arn_of(value, &["s3"]), || "Invalid arn syntax.".to_owned()),
        (Some("file"), Some(_)) => Ok(()),
        _ => refuse(format!("Invalid 'firelensConfiguration' setting for container '{}'.", name_of(container))),
    }
}

fn routers(definition: &Definition) -> Verdict {
    let routers = definition.containers.iter().filter(|container| container.firelens_configuration.is_some()).count();
    let routed = definition.containers.iter().filter_map(|container| container.log_configuration.as_ref());
    let needed = routed.into_iter().any(|log| log.log_driver == Some(LogDriver::Awsfirelens));
    refuse_if(needed && routers == 0, || {
        "When awsfirelens log driver is specified in log configuration, a firelens configuration object must be configured in one of the containers.".to_owned()
    })?;
    refuse_if(routers > 1, || "Only one container can have a firelens configuration.".to_owned())
}
