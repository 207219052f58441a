//! Rules on one container that need nothing but the container, and the two on all of them together.

use super::{Definition, Verdict, is_essential, is_name, items, name_of, refuse, refuse_if};
use api_ecs::{ContainerDefinition, ContainerRestartPolicy};
use std::collections::BTreeSet;

pub fn check(container: &ContainerDefinition) -> Verdict {
    name(container)?;
    image(container)?;
    timeouts(container)?;
    if let Some(policy) = &container.restart_policy {
        restart_policy(container, policy)?;
    }
    credential_specs(container)
}

pub fn names_are_unique(definition: &Definition) -> Verdict {
    let names: BTreeSet<&str> = definition.containers.iter().map(name_of).collect();
    let repeated = names.len() < definition.containers.len();
    refuse_if(repeated, || "Container names must be unique within a task definition.".to_owned())
}

pub fn one_is_essential(definition: &Definition) -> Verdict {
    let none = !definition.containers.iter().any(is_essential);
    refuse_if(none, || "Task definition doesn't have any essential container.".to_owned())
}

fn name(container: &ContainerDefinition) -> Verdict {
    match name_of(container) {
        "" => refuse("Container.name should not be null or empty."),
        name => refuse_if(!is_name(name), || "Container.name contains invalid characters.".to_owned()),
    }
}

fn image(container: &ContainerDefinition) -> Verdict {
    let image = container.image.as_deref().unwrap_or_default();
    refuse_if(image.is_empty(), || "Container.image should not be null or empty.".to_owned())?;
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    refuse_if(name.len() > 255, || "Container.image should not be longer than 255 characters.".to_owned())?;
    let readable = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_:./#".contains(&byte));
    let invalid = !readable || digest.is_some_and(|digest| !is_digest(digest));
    refuse_if(invalid, || "Container.image contains invalid characters.".to_owned())
}

fn is_digest(digest: &str) -> bool {
    let hex = digest.strip_prefix("sha256:").unwrap_or_default();
    hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn timeouts(container: &ContainerDefinition) -> Verdict {
    for (what, seconds) in [("start", container.start_timeout), ("stop", container.stop_timeout)] {
        let too_short = seconds.is_some_and(|seconds| seconds < 2);
        refuse_if(too_short, || {
            format!("Granular {what} timeout on container '{}' must be at least 2 seconds.", name_of(container))
        })?;
    }
    Ok(())
}

fn restart_policy(container: &ContainerDefinition, policy: &ContainerRestartPolicy) -> Verdict {
    let name = name_of(container);
    let outside = policy.restart_attempt_period.is_some_and(|seconds| !(60..=1800).contains(&seconds));
    refuse_if(outside, || format!("The 'restartAttemptPeriod' setting for container '{name}' must be between 60 and 1800."))?;
    let codes = items(&policy.ignored_exit_codes);
    refuse_if(codes.len() > 50, || {
        format!("The 'ignoredExitCodes' setting for container '{name}' must have at most 50 values.")
    })?;
    let not_codes = codes.iter().any(|code| !(0..=255).contains(code));
    refuse_if(not_codes, || format!("The 'ignoredExitCodes' setting for container '{name}' must be between 0 and 255."))
}

fn credential_specs(container: &ContainerDefinition) -> Verdict {
    let too_many = items(&container.credential_specs).len() > 1;
    refuse_if(too_many, || format!("Container '{}' can have at most one credential spec.", name_of(container)))
}
