//! Rules on `dependsOn`: what it names exists and can ever come true, and nobody waits for itself.

use super::{Definition, Verdict, is_essential, items, name_of, refuse, refuse_if, text};
use api_ecs::{ContainerCondition, ContainerDependency};
use std::collections::BTreeSet;

pub fn check(definition: &Definition) -> Verdict {
    let dependencies = definition.containers.iter().flat_map(|container| items(&container.depends_on));
    dependencies.into_iter().try_for_each(|dependency| can_come_true(definition, dependency))?;
    let cycle = definition.containers.iter().any(|container| waits_for_itself(definition, name_of(container)));
    refuse_if(cycle, || "Container dependsOn contains a cycle".to_owned())
}

fn can_come_true(definition: &Definition, dependency: &ContainerDependency) -> Verdict {
    let name = text(&dependency.container_name);
    let Some(target) = definition.container(name) else {
        // The plus is AWS's.
        return refuse(format!("Cannot depend on container + '{name}' because it does not exist"));
    };
    match &dependency.condition {
        Some(ContainerCondition::Complete | ContainerCondition::Success) => refuse_if(is_essential(target), || {
            "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container".to_owned()
        }),
        Some(ContainerCondition::Healthy) => refuse_if(target.health_check.is_none(), || {
            "A dependency container with HEALTHY condition must have health check configured".to_owned()
        }),
        Some(ContainerCondition::Start) => Ok(()),
        other => refuse(format!("Invalid dependency condition '{}'.", other.as_ref().map_or("null", |other| other.as_str()))),
    }
}

fn waits_for_itself(definition: &Definition, name: &str) -> bool {
    let (mut seen, mut next) = (BTreeSet::new(), vec![name]);
    while let Some(container) = next.pop().and_then(|name| definition.container(name)) {
        for target in items(&container.depends_on).iter().map(|dependency| text(&dependency.container_name)) {
            if target == name {
                return true;
            }
            if seen.insert(target) {
                next.push(target);
            }
        }
    }
    false
}
