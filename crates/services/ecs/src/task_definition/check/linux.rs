//! Rules on what the kernel is asked for: limits, swap, devices, tmpfs.

use super::{Verdict, items, name_of, refuse, refuse_if};
use api_ecs::{ContainerDefinition, LinuxParameters, Ulimit};

pub fn check(container: &ContainerDefinition) -> Verdict {
    items(&container.ulimits).iter().try_for_each(ulimit)?;
    match &container.linux_parameters {
        Some(parameters) => linux_parameters(container, parameters),
        None => Ok(()),
    }
}

/// -1 is no limit.
fn ulimit(ulimit: &Ulimit) -> Verdict {
    let name = ulimit.name.as_ref().map_or("null", |name| name.as_str());
    let (soft, hard) = (ulimit.soft_limit.unwrap_or(0), ulimit.hard_limit.unwrap_or(0));
    let exceeds = hard != -1 && (soft == -1 || soft > hard);
    refuse_if(exceeds, || format!("Soft limit exceeds hard limit for ulimit {name}"))
}

fn linux_parameters(container: &ContainerDefinition, parameters: &LinuxParameters) -> Verdict {
    let name = name_of(container);
    let numbers = [
        ("maxSwap", parameters.max_swap, 0, i32::MAX),
        ("swappiness", parameters.swappiness, 0, 100),
        ("sharedMemorySize", parameters.shared_memory_size, 1, i32::MAX),
    ];
    let outside = numbers.into_iter().find(|(_, value, min, max)| value.is_some_and(|value| !(*min..=*max).contains(&value)));
    if let Some((member, ..)) = outside {
        return refuse(format!("Invalid '{member}' setting for container '{name}'."));
    }
    let tmpfs = items(&parameters.tmpfs).iter().any(|tmpfs| tmpfs.size.unwrap_or(0) < 1 || !is_absolute(&tmpfs.container_path));
    refuse_if(tmpfs, || format!("Invalid 'tmpfs' setting for container '{name}'."))?;
    let devices = items(&parameters.devices).iter().any(|device| !is_absolute(&device.host_path));
    refuse_if(devices, || format!("Invalid 'devices' setting for container '{name}'."))
}

fn is_absolute(path: &Option<String>) -> bool {
    path.as_deref().is_some_and(|path| path.starts_with('/'))
}
