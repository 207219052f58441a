//! AZ rebalancing: in a steady state, a service whose tasks are not as evenly over the zones as they could be gets one more
//! task in the emptiest zone; once that is healthy, scale-in takes one from the fullest. Pure.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-rebalancing.html

use super::Service;
use super::action::Action;
use super::defaults::is_fargate;
use super::members::Member;
use super::situation::Situation;
use crate::capacity_provider::{self, CapacityProvider};
use crate::container_instance::ContainerInstance;
use crate::node::Node;
use crate::task::Task;
use api_ecs as api;
use std::collections::{BTreeMap, BTreeSet};
use store::Image;
use workload::Desired;

/// Tasks of the service in each zone that could have some.
pub type Zones<'a> = BTreeMap<&'a str, usize>;

/// Of the instances, or for FARGATE of the hosts, that could take one. Only read where somebody asks for balance.
pub fn zones<'a>(image: &'a Image, service: &Service) -> Vec<&'a str> {
    if service.steady_since.is_none() || !is_wanted(service) {
        return Vec::new();
    }
    let prefix = format!("{}/{}/", service.scope, service.cluster);
    let zone = |node: &'a Node| node.facts.availability_zone.as_str();
    let zones: BTreeSet<&str> = if is_fargate(&service.spec) {
        image.scan::<Node>().filter(|node| node.connected).map(zone).collect()
    } else {
        let providers = providers(image, service);
        let may_be = |instance: &&ContainerInstance| {
            let serves = providers.is_empty() || providers.iter().any(|provider| capacity_provider::has(provider, instance));
            serves && !instance.draining
        };
        let nodes =
            image.prefix::<ContainerInstance>(&prefix).filter(may_be).filter_map(|instance| image.get::<Node>(&instance.node));
        nodes.filter(|node| node.connected).map(zone).collect()
    };
    zones.into_iter().filter(|zone| !zone.is_empty()).collect()
}

/// Of Auto Scaling groups, that its tasks are shared out to.
fn providers<'a>(image: &'a Image, service: &Service) -> Vec<&'a CapacityProvider> {
    let names = service.spec.capacity_provider_strategy.iter().flatten().filter_map(|item| item.capacity_provider.as_ref());
    names.filter_map(|name| image.get(capacity_provider::key(&service.scope, name).as_str())).collect()
}

pub fn moves(situation: &Situation) -> Vec<Action> {
    let (Some(primary), Some(zones)) = (situation.primary(), unbalanced(situation)) else { return Vec::new() };
    let is_busy = situation.members.len() != situation.desired || situation.ceiling <= situation.desired;
    let emptiest = zones.iter().min_by_key(|(zone, count)| (**count, **zone)).map(|(zone, _)| (*zone).to_owned());
    let may_start = situation.may_start(primary) && !situation.is_waiting_for_place(primary);
    match emptiest {
        Some(zone) if may_start && !is_busy && may_be_evened(situation, &zones) => {
            let sentence = super::sentences::unbalanced(&zones);
            vec![Action::Complain(sentence), Action::Rebalance { deployment: primary.id.clone(), zone }]
        }
        _ => Vec::new(),
    }
}

/// Scale-in takes one from where there are too many: not if all there are protected, and any other would be missed.
fn may_be_evened(situation: &Situation, zones: &Zones) -> bool {
    let least = zones.values().min().copied().unwrap_or_default();
    let is_too_many = |member: &Member| zones.get(member.zone).is_some_and(|count| *count > least + 1);
    situation.live().any(|member| !member.is_protected() && is_too_many(member))
}

/// Zones with their tasks if one has more than one task more than another.
fn unbalanced<'a>(situation: &Situation<'a>) -> Option<Zones<'a>> {
    if situation.zones.is_empty() || situation.service.steady_since.is_none() {
        return None;
    }
    let zones = count(&situation.zones, situation.live().map(|member| member.zone));
    (!are_even(&zones)).then_some(zones)
}

/// What a service that said that it was not balanced says once it is.
pub fn balanced(image: &Image, service: &Service) -> Option<String> {
    service.complaint.as_ref().filter(|complaint| complaint.cause.starts_with(super::sentences::UNBALANCED))?;
    let tasks = image.by::<Task>("service", service.path()).filter(|task| task.desired == Desired::Running);
    let zones = count(&zones(image, service), tasks.filter_map(|task| task.availability_zone.as_deref()));
    are_even(&zones).then(|| super::sentences::balanced(&zones))
}

fn count<'a>(zones: &[&'a str], tasks: impl Iterator<Item = &'a str>) -> Zones<'a> {
    let mut counts: Zones = zones.iter().map(|zone| (*zone, 0)).collect();
    tasks.for_each(|zone| *counts.entry(zone).or_default() += 1);
    counts
}

fn are_even(zones: &Zones) -> bool {
    zones.values().max().zip(zones.values().min()).is_none_or(|(most, least)| most - least <= 1)
}

/// Of REPLICA services that spread over zones first.
fn is_wanted(service: &Service) -> bool {
    let spec = &service.spec;
    service.is_rebalanced() && spec.placement_strategy.as_ref().and_then(|list| list.first()).is_none_or(is_zone_spread)
}

fn is_zone_spread(strategy: &api::PlacementStrategy) -> bool {
    let is_zone = strategy.field.as_deref() == Some("attribute:ecs.availability-zone");
    strategy.r#type == Some(api::PlacementStrategyType::Spread) && is_zone
}
