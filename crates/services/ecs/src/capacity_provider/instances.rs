//! Which container instances are a provider's: those of its Auto Scaling group, as on AWS, and those whose node names no
//! group, which serve any provider: a host that nobody has configured runs a stack made for Auto Scaling groups.

#[cfg(test)]
mod tests;

use super::{CapacityProvider, key};
use crate::cluster;
use crate::container_instance::ContainerInstance;
use store::Image;

pub fn has(provider: &CapacityProvider, instance: &ContainerInstance) -> bool {
    let group = instance.auto_scaling_group.as_deref();
    group.is_none_or(|group| provider.auto_scaling_group() == Some(group))
}

/// The one of its cluster's providers that the instance is of. None if it serves several.
pub fn name_of(image: &Image, instance: &ContainerInstance) -> Option<String> {
    let cluster = image.get::<cluster::Cluster>(cluster::key(&instance.scope, &instance.cluster).as_str())?;
    let row = |name: &String| image.get::<CapacityProvider>(key(&instance.scope, name).as_str());
    let mut theirs = cluster.capacity_providers.iter().filter_map(row).filter(|provider| has(provider, instance));
    let first = theirs.next()?;
    theirs.next().is_none().then(|| first.name.clone())
}
