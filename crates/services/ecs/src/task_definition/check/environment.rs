//! Rules on environment variables, where their values come from, and registry credentials.

use super::{Definition, Verdict, items, refuse, refuse_if};
use crate::task::compile::references;
use api_ecs::{ContainerDefinition, EnvironmentFile, Secret};
use std::collections::BTreeSet;
use workload::FileContent;

pub fn check(container: &ContainerDefinition, definition: &Definition) -> Verdict {
    secrets_have_a_role(container, definition)?;
    secret_names(container)?;
    let in_logs = container.log_configuration.iter().flat_map(|log| items(&log.secret_options));
    items(&container.secrets).iter().chain(in_logs).try_for_each(secret_source)?;
    files(container, definition)?;
    environment_files(items(&container.environment_files))
}

fn secrets_have_a_role(container: &ContainerDefinition, definition: &Definition) -> Verdict {
    let nobody_may_read = !items(&container.secrets).is_empty() && !definition.has_execution_role();
    refuse_if(nobody_may_read, no_role)
}

fn no_role() -> String {
    "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.".to_owned()
}

fn secret_names(container: &ContainerDefinition) -> Verdict {
    let mut names = BTreeSet::new();
    let secrets = items(&container.secrets).iter().filter_map(|secret| secret.name.as_deref());
    if let Some(name) = secrets.into_iter().find(|name| !names.insert(*name)) {
        return refuse(format!("Duplicate secret names found: {name}. Each secret name must be unique."));
    }
    let variables = items(&container.environment).iter().filter_map(|variable| variable.name.as_deref());
    variables.into_iter().find(|name| names.contains(name)).map_or(Ok(()), |name| {
        refuse(format!(
            "The secret name must be unique and not shared with any new or existing environment variables set on the container, such as '{name}'."
        ))
    })
}

fn secret_source(secret: &Secret) -> Verdict {
    source(secret.value_from.as_deref().unwrap_or_default())
}

/// A parameter's name, or the ARN of a parameter or a secret.
fn source(source: &str) -> Verdict {
    refuse_if(source.is_empty(), || "The secret's valueFrom should not be null or empty.".to_owned())?;
    let broken = source.starts_with("arn:") && !is_arn_of(source, &["ssm", "secretsmanager"]);
    refuse_if(broken, || "Invalid arn syntax.".to_owned())
}

/// Of docs/extensions.md: what AWS has no rules for must not fail when the container starts.
fn files(container: &ContainerDefinition, definition: &Definition) -> Verdict {
    for file in references::files(container) {
        refuse_if(!is_path_of_a_file(&file.container_path), || {
            format!(
                "The path of a file must be absolute and without '..', such as in 'slipway.file./etc/app.conf', not '{}'.",
                file.container_path
            )
        })?;
        if let FileContent::Secret(value_from) = &file.content {
            source(value_from)?;
            refuse_if(!definition.has_execution_role(), no_role)?;
        }
    }
    Ok(())
}

fn is_path_of_a_file(path: &str) -> bool {
    let is_name = |part: &str| !matches!(part, "" | "." | "..");
    path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_name))
}

/// Of a container or an override.
pub fn environment_files(files: &[EnvironmentFile]) -> Verdict {
    refuse_if(files.len() > 10, || {
        "The maximum number of environment files was exceeded. Specify ten or less and try again.".to_owned()
    })?;
    files.iter().try_for_each(environment_file)
}

fn environment_file(file: &EnvironmentFile) -> Verdict {
    let value = file.value.as_deref().unwrap_or_default();
    refuse_if(!is_arn_of(value, &["s3"]), || "Invalid arn syntax.".to_owned())?;
    refuse_if(!value.ends_with(".env"), || "The environment file must have a '.env' file extension.".to_owned())
}

/// Six parts, of which the last says something.
pub fn is_arn_of(text: &str, services: &[&str]) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    parts.len() == 6 && parts[0] == "arn" && parts[1].starts_with("aws") && services.contains(&parts[2]) && !parts[5].is_empty()
}
