//! Rules on the task as a whole.

use super::{Definition, Verdict, fargate, is_name, items, refuse, refuse_if};
use crate::placement::constraint;
use crate::tags;
use api_ecs as api;
use api_ecs::{Compatibility, NetworkMode, TaskDefinitionPlacementConstraint, TaskDefinitionPlacementConstraintType};
use base::limits;

pub fn check(definition: &Definition) -> Verdict {
    family(definition)?;
    has_containers(definition)?;
    size(definition)?;
    roles(definition)?;
    enumerations(definition)?;
    retired(definition)?;
    placement_constraints(definition)?;
    ephemeral_storage(definition)?;
    definition.request.tags.as_deref().map_or(Ok(()), tagging)
}

/// AWS validates against what the client requires, last.
pub fn check_compatibilities(definition: &Definition) -> Verdict {
    if definition.requires(&Compatibility::Fargate) {
        fargate::check(definition)?;
    }
    let external_awsvpc = definition.requires(&Compatibility::External) && definition.mode == NetworkMode::Awsvpc;
    refuse_if(external_awsvpc, || "External only supports network modes ‘bridge’, ‘host’ and ‘none’.".to_owned())?;
    let ec2_storage = definition.requires(&Compatibility::Ec2) && definition.request.ephemeral_storage.is_some();
    refuse_if(ec2_storage, || "Tasks using the EC2 launch type do not support EphemeralStorage.".to_owned())
}

/// Other operations take an empty list of tags; this one does not.
fn tagging(given: &[api::Tag]) -> Verdict {
    refuse_if(given.is_empty(), || "Tags can not be empty.".to_owned())?;
    tags::check(given).map_err(|error| api::Error::client(error.message()))
}

fn family(definition: &Definition) -> Verdict {
    match definition.request.family.as_deref() {
        None | Some("") => refuse("Family should not be null or empty."),
        Some(family) => refuse_if(!is_name(family), || "Family contains invalid characters.".to_owned()),
    }
}

fn has_containers(definition: &Definition) -> Verdict {
    refuse_if(definition.containers.is_empty(), || "Container list cannot be empty.".to_owned())?;
    let too_many = definition.containers.len() > limits::CONTAINERS_PER_TASK_DEFINITION;
    refuse_if(too_many, || format!("Too many containers. Maximum allowed is {}.", limits::CONTAINERS_PER_TASK_DEFINITION))
}

fn size(definition: &Definition) -> Verdict {
    let (length, max) = (serde_json::to_vec(definition.request).map_or(0, |json| json.len()), limits::TASK_DEFINITION_BYTES);
    refuse_if(length > max, || format!("Actual length: '{length}'. Max allowed length is '{max}' bytes."))
}

/// AWS does not ask IAM whether a role exists, but reads what is given: a name or an ARN. Empty means none.
fn roles(definition: &Definition) -> Verdict {
    let given = [&definition.request.task_role_arn, &definition.request.execution_role_arn];
    let invalid = given.into_iter().flatten().any(|role| !role.is_empty() && !is_role(role));
    refuse_if(invalid, || "Role is not valid".to_owned())
}

fn is_role(role: &str) -> bool {
    let is_path =
        |path: &str| !path.is_empty() && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_/-".contains(&byte));
    let Some(arn) = role.strip_prefix("arn:") else { return is_path(role) };
    match arn.splitn(5, ':').collect::<Vec<_>>()[..] {
        [partition, "iam", "", account, resource] => {
            let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
            partition.starts_with("aws") && is_account && resource.strip_prefix("role/").is_some_and(is_path)
        }
        _ => false,
    }
}

/// The wire refuses these first; a caller inside the process is refused here.
fn enumerations(definition: &Definition) -> Verdict {
    let request = definition.request;
    one_of("networkMode", request.network_mode.as_ref().map(|mode| mode.as_str()), NetworkMode::VALUES)?;
    one_of("pidMode", request.pid_mode.as_ref().map(|mode| mode.as_str()), api::PidMode::VALUES)?;
    one_of("ipcMode", request.ipc_mode.as_ref().map(|mode| mode.as_str()), api::IpcMode::VALUES)?;
    let required = items(&request.requires_compatibilities);
    required.iter().try_for_each(|one| one_of("requiresCompatibilities", Some(one.as_str()), Compatibility::VALUES))
}

fn one_of(member: &str, value: Option<&str>, values: &[&str]) -> Verdict {
    let unknown = value.is_some_and(|value| !values.contains(&value));
    refuse_if(unknown, || format!("{member} should be one of [{}]", values.join(",")))
}

fn retired(definition: &Definition) -> Verdict {
    let given = !items(&definition.request.inference_accelerators).is_empty();
    refuse_if(given, || "Unsupported field 'inferenceAccelerators'.".to_owned())
}

fn placement_constraints(definition: &Definition) -> Verdict {
    let constraints = items(&definition.request.placement_constraints);
    refuse_if(constraints.len() > 10, || "Too many placement constraints. Maximum allowed is 10.".to_owned())?;
    constraints.iter().try_for_each(placement_constraint)
}

fn placement_constraint(constraint: &TaskDefinitionPlacementConstraint) -> Verdict {
    match (&constraint.r#type, constraint.expression.as_deref()) {
        (Some(TaskDefinitionPlacementConstraintType::MemberOf), Some(expression)) => match constraint::parse(expression) {
            Ok(_) => Ok(()),
            Err(error) => refuse(format!("Invalid expression '{expression}': {error}.")),
        },
        (Some(TaskDefinitionPlacementConstraintType::MemberOf), None) => {
            refuse("constraint.expression should not be null or empty.")
        }
        (other, _) => {
            refuse(format!("constraint.type '{}' is not supported.", other.as_ref().map_or("null", |other| other.as_str())))
        }
    }
}

fn ephemeral_storage(definition: &Definition) -> Verdict {
    let Some(storage) = &definition.request.ephemeral_storage else { return Ok(()) };
    match storage.size_in_gib.unwrap_or(0) {
        ..21 => refuse("EphemeralStorage size should be at least 21"),
        201.. => refuse("EphemeralStorage size should be at most 200"),
        _ => Ok(()),
    }
}
