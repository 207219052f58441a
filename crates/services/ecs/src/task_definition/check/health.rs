//! Ranges of a container's health check. AWS says the command must start with `CMD` or `CMD-SHELL`, and takes others: real
//! definitions have them, so the node deals with what they mean.

use super::{Verdict, items, name_of, refuse_if};
use api_ecs::ContainerDefinition;

pub fn check(container: &ContainerDefinition) -> Verdict {
    let Some(health) = &container.health_check else { return Ok(()) };
    let name = name_of(container);
    let empty = items(&health.command).is_empty();
    refuse_if(empty, || format!("Health check command must not be empty for container '{name}'"))?;
    let ranges = [
        ("interval", health.interval, 5, 300),
        ("timeout", health.timeout, 2, 60),
        ("retries", health.retries, 1, 10),
        ("startPeriod", health.start_period, 0, 300),
    ];
    for (member, value, min, max) in ranges {
        let Some(value) = value else { continue };
        refuse_if(value > max, || {
            format!("Health check {member} must be less than or equal to the maximum allowed value {max} for container '{name}'")
        })?;
        refuse_if(value < min, || {
            format!(
                "Health check {member} must be greater than or equal to the minimum allowed value {min} for container '{name}'"
            )
        })?;
    }
    Ok(())
}
