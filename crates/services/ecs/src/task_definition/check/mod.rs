//! Whether AWS would register a definition: every rule with AWS's code and sentence, in the order AWS raises them where that
//! is known. Pure, and total: whatever the request holds, the answer is a verdict. Never changes anything; what AWS fills in
//! is `defaults`.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html

mod container;
mod dependencies;
pub mod environment;
pub mod fargate;
mod health;
mod linux;
mod logging;
mod network;
mod ports;
mod resources;
mod task;
#[cfg(test)]
mod tests;
mod volumes;

use super::resources::{cpu_units, memory_mib};
use api_ecs as api;
use api_ecs::{Compatibility, ContainerDefinition, NetworkMode};

pub type Verdict = Result<(), api::Error>;

pub fn check(request: &api::RegisterTaskDefinitionRequest) -> Verdict {
    let definition = Definition::of(request);
    task::check(&definition)?;
    for container in definition.containers {
        container::check(container)?;
    }
    container::names_are_unique(&definition)?;
    container::one_is_essential(&definition)?;
    network::check(&definition)?;
    resources::check(&definition)?;
    for container in definition.containers {
        health::check(container)?;
        linux::check(container)?;
        environment::check(container, &definition)?;
    }
    ports::check(&definition)?;
    volumes::check(&definition)?;
    dependencies::check(&definition)?;
    logging::check(&definition)?;
    task::check_compatibilities(&definition)
}

/// A request as the rules look at it.
pub struct Definition<'a> {
    pub request: &'a api::RegisterTaskDefinitionRequest,
    pub containers: &'a [ContainerDefinition],
    /// What is given, or what AWS takes where nothing is.
    pub mode: NetworkMode,
    pub cpu: Option<u32>,
    pub memory: Option<u64>,
}

impl<'a> Definition<'a> {
    pub fn of(request: &'a api::RegisterTaskDefinitionRequest) -> Definition<'a> {
        Definition {
            request,
            containers: items(&request.container_definitions),
            mode: request.network_mode.clone().unwrap_or(NetworkMode::Bridge),
            cpu: request.cpu.as_deref().and_then(cpu_units),
            memory: request.memory.as_deref().and_then(memory_mib),
        }
    }

    pub fn requires(&self, compatibility: &Compatibility) -> bool {
        items(&self.request.requires_compatibilities).contains(compatibility)
    }

    fn container(&self, name: &str) -> Option<&'a ContainerDefinition> {
        self.containers.iter().find(|container| name_of(container) == name)
    }

    fn has_execution_role(&self) -> bool {
        self.request.execution_role_arn.as_deref().is_some_and(|role| !role.is_empty())
    }
}

/// What an absent list means.
pub fn items<T>(list: &Option<Vec<T>>) -> &[T] {
    list.as_deref().unwrap_or_default()
}

fn name_of(container: &ContainerDefinition) -> &str {
    container.name.as_deref().unwrap_or_default()
}

fn is_essential(container: &ContainerDefinition) -> bool {
    container.essential.unwrap_or(true)
}

fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or("null")
}

/// Letters, digits, `-` and `_`, at most 255: families, containers, volumes.
fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn refuse(sentence: impl Into<String>) -> Verdict {
    Err(api::Error::client(sentence))
}

fn refuse_if(broken: bool, sentence: impl FnOnce() -> String) -> Verdict {
    if broken { refuse(sentence()) } else { Ok(()) }
}
