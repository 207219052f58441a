//! Which instances scale-in empties first, as the service's placement strategy has it: spread and random keep the balance of
//! zones, then of instances; binpack empties the instance that has most left, so that it can go.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-strategies.html

use super::Service;
use crate::container_instance::{self, ContainerInstance};
use crate::placement::{Candidate, Field, Resource, Strategy, fleet, request};
use crate::task::Task;
use std::collections::BTreeMap;
use store::Image;

#[derive(Debug, PartialEq)]
pub struct Emptying<'a> {
    /// The zone with most tasks first.
    pub across_zones: bool,
    /// Then the instance with most of this; where nothing is said, with most tasks.
    pub left: Option<BTreeMap<&'a str, u64>>,
}

impl Default for Emptying<'_> {
    fn default() -> Self {
        Emptying { across_zones: true, left: None }
    }
}

impl<'a> Emptying<'a> {
    pub fn of(image: &'a Image, service: &Service, tasks: &[&'a Task]) -> Emptying<'a> {
        let strategies = request::strategies(service.spec.placement_strategy.as_deref()).unwrap_or_default();
        let is_of_instances = |strategy: &&Strategy| !matches!(strategy, Strategy::Spread(Field::Attribute(_)));
        let Some(Strategy::Binpack(resource)) = strategies.iter().find(is_of_instances) else { return Emptying::default() };
        let ids = tasks.iter().filter_map(|task| task.container_instance.as_deref());
        let left = ids.filter_map(|id| Some((id, left(image, service, id, *resource)?))).collect();
        Emptying { across_zones: !matches!(strategies[0], Strategy::Binpack(_)), left: Some(left) }
    }
}

fn left(image: &Image, service: &Service, instance: &str, resource: Resource) -> Option<u64> {
    let key = container_instance::key(&service.scope, &service.cluster, instance);
    let Candidate { node, ledger, .. } = fleet::candidate(image, image.get::<ContainerInstance>(key.as_str())?);
    Some(match resource {
        Resource::Cpu => u64::from(node.facts.cpu_units.saturating_sub(ledger.cpu_units)),
        Resource::Memory => node.facts.memory_mib.saturating_sub(ledger.memory_mib),
    })
}
