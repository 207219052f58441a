//! What RunTask and StartTask say differently from the task definition: checked once, then looked up by container.

use crate::task_definition::check::environment::environment_files;
use crate::task_definition::resources::{cpu_units, memory_mib};
use api_ecs as api;
use base::limits::OVERRIDES_BYTES;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub struct Overrides<'a> {
    task: Option<&'a api::TaskOverride>,
    containers: BTreeMap<&'a str, &'a api::ContainerOverride>,
}

impl<'a> Overrides<'a> {
    pub fn new(task: Option<&'a api::TaskOverride>) -> Overrides<'a> {
        let containers = task.iter().flat_map(|task| task.container_overrides.iter().flatten());
        Overrides { task, containers: containers.filter_map(|container| Some((container.name.as_deref()?, container))).collect() }
    }

    pub fn cpu(&self) -> Option<&'a str> {
        self.task?.cpu.as_deref()
    }

    pub fn memory(&self) -> Option<&'a str> {
        self.task?.memory.as_deref()
    }

    pub fn task_role(&self) -> Option<&'a str> {
        self.task?.task_role_arn.as_deref()
    }

    pub fn ephemeral_storage_gib(&self) -> Option<i32> {
        self.task?.ephemeral_storage.as_ref()?.size_in_gib
    }

    pub fn of(&self, container: &api::ContainerDefinition) -> Option<&'a api::ContainerOverride> {
        self.containers.get(container.name.as_deref()?).copied()
    }

    pub fn cpu_of(&self, container: &api::ContainerDefinition) -> u32 {
        let units = self.of(container).and_then(|o| o.cpu).or(container.cpu);
        units.and_then(|units| u32::try_from(units).ok()).unwrap_or_default()
    }

    /// `ALL` and a share of one, which are no numbers, need one at least.
    pub fn gpus_of(&self, container: &api::ContainerDefinition) -> u32 {
        let overridden = self.of(container).and_then(|o| o.resource_requirements.as_ref());
        let required = overridden.or(container.resource_requirements.as_ref()).into_iter().flatten();
        let gpus = required.filter(|one| one.r#type == Some(api::ResourceType::Gpu));
        gpus.map(|one| one.value.as_deref().and_then(|count| count.parse().ok()).unwrap_or(1)).fold(0, u32::saturating_add)
    }

    /// The hard limit.
    pub fn memory_of(&self, container: &api::ContainerDefinition) -> Option<u64> {
        self.of(container).and_then(|o| o.memory).or(container.memory).and_then(|mib| u64::try_from(mib).ok())
    }

    pub fn memory_reservation_of(&self, container: &api::ContainerDefinition) -> Option<u64> {
        let mib = self.of(container).and_then(|o| o.memory_reservation).or(container.memory_reservation);
        mib.and_then(|mib| u64::try_from(mib).ok())
    }

    /// The reservation, else the limit: what is subtracted from the instance.
    pub fn reserved_memory_of(&self, container: &api::ContainerDefinition) -> u64 {
        self.memory_reservation_of(container).or(self.memory_of(container)).unwrap_or_default()
    }
}

/// Refuses what names no container of the definition or is not a size.
pub fn check(overrides: Option<&api::TaskOverride>, definition: &api::TaskDefinition) -> Result<(), api::Error> {
    let Some(overrides) = overrides else { return Ok(()) };
    if serde_json::to_string(overrides).map_or(0, |json| json.chars().count()) > OVERRIDES_BYTES {
        return Err(api::Error::invalid_parameter("TaskOverride is too long."));
    }
    let containers = definition.container_definitions.as_deref().unwrap_or_default();
    for name in overrides.container_overrides.iter().flatten().map(|o| o.name.as_deref().unwrap_or_default()) {
        if !containers.iter().any(|container| container.name.as_deref() == Some(name)) {
            let message = format!("Override for container named {name} is not a container in the TaskDefinition.");
            return Err(api::Error::invalid_parameter(message));
        }
    }
    for container in overrides.container_overrides.iter().flatten() {
        environment_files(container.environment_files.as_deref().unwrap_or_default())?;
    }
    sizes(overrides)
}

fn sizes(overrides: &api::TaskOverride) -> Result<(), api::Error> {
    let cpu = overrides.cpu.as_deref().is_none_or(|text| cpu_units(text).is_some());
    let memory = overrides.memory.as_deref().is_none_or(|text| memory_mib(text).is_some());
    match (cpu, memory) {
        (true, true) => Ok(()),
        (false, _) => Err(api::Error::client("Invalid 'cpu' setting for task.")),
        (_, false) => Err(api::Error::client("Invalid 'memory' setting for task.")),
    }
}
