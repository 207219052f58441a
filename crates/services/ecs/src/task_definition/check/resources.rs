//! Rules on CPU and memory, of the task and of its containers.

use super::{Definition, Verdict, items, name_of, refuse, refuse_if};
use api_ecs::{Compatibility, ContainerDefinition, ResourceRequirement, ResourceType};

/// Docker 20.10 reserves 6 MiB, older ones 4; AWS takes what the oldest takes.
const LEAST_MEMORY_MIB: i32 = 4;

pub fn check(definition: &Definition) -> Verdict {
    task_cpu(definition)?;
    task_memory(definition)?;
    for container in definition.containers {
        memory_is_given(container, definition)?;
        container_memory(container, definition)?;
        items(&container.resource_requirements).iter().try_for_each(|one| requirement(container, one))?;
    }
    container_cpu(definition)?;
    reserved_memory(definition)
}

/// 128 units to 192 vCPUs; FARGATE has its own table.
fn task_cpu(definition: &Definition) -> Verdict {
    let fargate = definition.requires(&Compatibility::Fargate);
    let valid = definition.cpu.is_some_and(|units| fargate || (128..=196_608).contains(&units));
    refuse_if(definition.request.cpu.is_some() && !valid, || "Invalid 'cpu' setting for task.".to_owned())
}

fn task_memory(definition: &Definition) -> Verdict {
    let valid = definition.memory.is_some_and(|mib| mib >= LEAST_MEMORY_MIB as u64);
    refuse_if(definition.request.memory.is_some() && !valid, || "Invalid 'memory' setting for task.".to_owned())
}

fn memory_is_given(container: &ContainerDefinition, definition: &Definition) -> Verdict {
    let none = definition.memory.is_none() && container.memory.is_none() && container.memory_reservation.is_none();
    refuse_if(none, || invalid(container, "At least one of 'memory' or 'memoryReservation' must be specified."))
}

fn container_memory(container: &ContainerDefinition, definition: &Definition) -> Verdict {
    for (member, mib) in [("memory", container.memory), ("memoryReservation", container.memory_reservation)] {
        let Some(mib) = mib else { continue };
        refuse_if(mib < LEAST_MEMORY_MIB, || invalid(container, &format!("'{member}' must be at least {LEAST_MEMORY_MIB}.")))?;
        let above = definition.memory.is_some_and(|task| mib as u64 > task);
        refuse_if(above, || {
            format!("The '{member}' setting for container '{}' is greater than for the task.", name_of(container))
        })?;
    }
    let inverted = matches!((container.memory, container.memory_reservation), (Some(hard), Some(soft)) if hard < soft);
    refuse_if(inverted, || invalid(container, "'memory' must be greater than or equal to 'memoryReservation'."))
}

fn container_cpu(definition: &Definition) -> Verdict {
    for container in definition.containers {
        let negative = container.cpu.is_some_and(|units| units < 0);
        refuse_if(negative, || format!("Invalid 'cpu' setting for container '{}'.", name_of(container)))?;
    }
    let sum: i64 = definition.containers.iter().map(|container| i64::from(container.cpu.unwrap_or(0))).sum();
    let above = definition.cpu.is_some_and(|task| sum > i64::from(task));
    refuse_if(above, || "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.".to_owned())
}

/// Reservations are promises, so they must fit together; hard limits may overlap.
fn reserved_memory(definition: &Definition) -> Verdict {
    let reserved = definition.containers.iter().map(|container| i64::from(container.memory_reservation.unwrap_or(0)));
    let (sum, task) = (reserved.sum::<i64>(), definition.memory);
    refuse_if(task.is_some_and(|task| sum > task as i64), || {
        "The sum of all container 'memoryReservation' values cannot be greater than the value of the task 'memory'.".to_owned()
    })
}

fn requirement(container: &ContainerDefinition, requirement: &ResourceRequirement) -> Verdict {
    let name = name_of(container);
    let value = requirement.value.as_deref();
    match &requirement.r#type {
        Some(ResourceType::Gpu) => {
            let counted = value.is_none_or(|value| value == "ALL" || value.parse::<u32>().is_ok_and(|count| count > 0));
            let one_way = value.is_some() != requirement.sharing_strategy.is_some();
            refuse_if(!counted || !one_way, || format!("Invalid 'GPU' resource requirement for container '{name}'."))
        }
        Some(ResourceType::NeuronDevice) => {
            refuse_if(value != Some("ALL"), || format!("Invalid 'NeuronDevice' resource requirement for container '{name}'."))
        }
        _ => refuse(format!("Unsupported resource requirement for container '{name}'.")),
    }
}

fn invalid(container: &ContainerDefinition, what: &str) -> String {
    format!("Invalid setting for container '{}'. {what}", name_of(container))
}
