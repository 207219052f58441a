//! On what a request's tasks run: launch types and capacity provider strategies, the cluster's own included, become shares
//! of one kind each. Those of a service continue what its tasks already run on. Pure.
//! https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html

use crate::cluster::{Cluster, strategy};
use api_ecs as api;
use std::collections::{BTreeMap, BTreeSet};

const ITEMS: usize = 20;

#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    pub launch_type: api::LaunchType,
    pub capacity_provider: Option<String>,
    pub count: usize,
}

impl Share {
    pub fn is_fargate(&self) -> bool {
        self.launch_type == api::LaunchType::Fargate
    }
}

/// How many tasks there are already, by capacity provider.
pub type Running = BTreeMap<String, usize>;

pub fn shares(
    cluster: &Cluster,
    launch_type: Option<&api::LaunchType>,
    strategy: Option<&[api::CapacityProviderStrategyItem]>,
    count: usize,
) -> Result<Vec<Share>, api::Error> {
    further_shares(cluster, launch_type, strategy, &Running::new(), count)
}

/// Of `count` more.
pub fn further_shares(
    cluster: &Cluster,
    launch_type: Option<&api::LaunchType>,
    strategy: Option<&[api::CapacityProviderStrategyItem]>,
    running: &Running,
    count: usize,
) -> Result<Vec<Share>, api::Error> {
    let strategy = strategy.filter(|items| !items.is_empty());
    match (launch_type, strategy) {
        (Some(_), Some(_)) => Err(api::Error::invalid_parameter(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
        )),
        (Some(api::LaunchType::ManagedInstances), None) => {
            Err(api::Error::unsupported_feature("Managed instances are not supported by this server yet."))
        }
        (Some(launch_type), None) => Ok(vec![Share { launch_type: launch_type.clone(), capacity_provider: None, count }]),
        (None, Some(items)) => by_strategy(cluster, items, running, count),
        (None, None) if !cluster.default_capacity_provider_strategy.is_empty() => {
            by_strategy(cluster, &cluster.default_capacity_provider_strategy, running, count)
        }
        (None, None) => Ok(vec![Share { launch_type: api::LaunchType::Ec2, capacity_provider: None, count }]),
    }
}

fn by_strategy(
    cluster: &Cluster,
    items: &[api::CapacityProviderStrategyItem],
    running: &Running,
    count: usize,
) -> Result<Vec<Share>, api::Error> {
    check(cluster, items)?;
    let running: Vec<usize> = items.iter().map(|item| running.get(name(item)).copied().unwrap_or_default()).collect();
    let counts = distribute(items, running, count);
    let shares = items.iter().zip(counts).filter(|(_, count)| *count > 0);
    Ok(shares
        .map(|(item, count)| Share { launch_type: launch_type(item), capacity_provider: item.capacity_provider.clone(), count })
        .collect())
}

fn launch_type(item: &api::CapacityProviderStrategyItem) -> api::LaunchType {
    match item.capacity_provider.as_deref() {
        Some("FARGATE" | "FARGATE_SPOT") => api::LaunchType::Fargate,
        _ => api::LaunchType::Ec2,
    }
}

fn check(cluster: &Cluster, items: &[api::CapacityProviderStrategyItem]) -> Result<(), api::Error> {
    let refuse = |message: &str| Err(api::Error::invalid_parameter(message));
    if items.len() > ITEMS {
        return refuse("The specified capacity provider strategy contains too many capacity providers. Specify 20 or fewer.");
    }
    if !items.iter().all(|item| cluster.capacity_providers.iter().any(|provider| provider == name(item))) {
        return refuse(
            "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. \
             Associate the capacity provider with the cluster and try again.",
        );
    }
    let names: BTreeSet<&str> = items.iter().map(name).collect();
    if names.len() < items.len() {
        return refuse("The specified capacity provider strategy cannot contain a capacity provider more than once.");
    }
    strategy::refuse_mix(items)?;
    if items.iter().all(|item| weight(item) == 0) {
        return refuse(
            "There are no capacity providers in the capacity provider strategy with a weight value greater than zero.",
        );
    }
    if items.iter().filter(|item| base(item) > 0).count() > 1 {
        return refuse(
            "There are multiple capacity providers in the specified capacity provider strategy with a base value defined.",
        );
    }
    Ok(())
}

/// How many more go to each, one after the other.
fn distribute(items: &[api::CapacityProviderStrategyItem], running: Vec<usize>, count: usize) -> Vec<usize> {
    let mut counts = running.clone();
    for _ in 0..count {
        let Some(next) = next(items, &counts) else { break };
        counts[next] += 1;
    }
    counts.iter().zip(running).map(|(count, running)| count - running).collect()
}

/// Who gets the next task: whose base is not reached, then whoever is furthest below its share of the weights. What was
/// started beyond a base counts by weight, so that a service keeps its ratio however it scales.
fn next(items: &[api::CapacityProviderStrategyItem], running: &[usize]) -> Option<usize> {
    let lacks_base = (0..items.len()).find(|i| running[*i] < base(&items[*i]));
    let weighed = |i: usize| running[i].saturating_sub(base(&items[i])) + 1;
    let weighty = (0..items.len()).filter(|i| weight(&items[*i]) > 0);
    // (n + 1) / weight, compared without fractions; the first of equals.
    let is_less = |a: usize, b: usize| weighed(a) * weight(&items[b]) < weighed(b) * weight(&items[a]);
    lacks_base.or_else(|| weighty.reduce(|a, b| if is_less(b, a) { b } else { a }))
}

fn name(item: &api::CapacityProviderStrategyItem) -> &str {
    item.capacity_provider.as_deref().unwrap_or_default()
}

fn weight(item: &api::CapacityProviderStrategyItem) -> usize {
    item.weight.and_then(|weight| usize::try_from(weight).ok()).unwrap_or_default()
}

fn base(item: &api::CapacityProviderStrategyItem) -> usize {
    item.base.and_then(|base| usize::try_from(base).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(items: &[(i32, i32)]) -> Vec<api::CapacityProviderStrategyItem> {
        let item = |(base, weight): &(i32, i32)| api::CapacityProviderStrategyItem {
            capacity_provider: Some("FARGATE".into()),
            base: Some(*base),
            weight: Some(*weight),
        };
        items.iter().map(item).collect()
    }

    fn counts(strategy: &[(i32, i32)], count: usize) -> Vec<usize> {
        distribute(&items(strategy), vec![0; strategy.len()], count)
    }

    #[test]
    fn the_base_comes_first_and_the_rest_by_weight() {
        assert_eq!(counts(&[(0, 1), (0, 1)], 5), [3, 2]);
        assert_eq!(counts(&[(2, 1), (0, 3)], 10), [4, 6]);
        assert_eq!(counts(&[(20, 1), (0, 1)], 10), [10, 0]);
        assert_eq!(counts(&[(0, 0), (0, 7)], 3), [0, 3]);
        assert_eq!(counts(&[(0, 1), (0, 4)], 10), [2, 8]);
        assert_eq!(counts(&[(3, 0), (0, 1)], 5), [3, 2]);
    }

    #[test]
    fn the_next_task_brings_the_ratio_nearer() {
        let next = |strategy: &[(i32, i32)], running: &[usize]| next(&items(strategy), running);
        assert_eq!(next(&[(0, 1), (0, 1)], &[0, 0]), Some(0));
        assert_eq!(next(&[(0, 1), (0, 1)], &[3, 2]), Some(1));
        assert_eq!(next(&[(0, 1), (0, 4)], &[1, 3]), Some(1));
        assert_eq!(next(&[(0, 1), (0, 4)], &[1, 8]), Some(0));
        assert_eq!(next(&[(2, 1), (0, 1)], &[1, 9]), Some(0), "the base is filled up first");
        assert_eq!(next(&[(2, 1), (0, 1)], &[2, 0]), Some(0), "what the base takes does not count by weight");
        assert_eq!(next(&[(2, 1), (0, 1)], &[3, 0]), Some(1));
        assert_eq!(next(&[(0, 0), (0, 1)], &[0, 5]), Some(1), "nothing goes where there is no weight");
        assert_eq!(next(&[(1, 0)], &[1]), None);
    }

    #[test]
    fn however_a_service_grows_it_has_what_it_had_at_once() {
        let strategies: [&[(i32, i32)]; 5] =
            [&[(0, 1), (0, 1)], &[(2, 1), (0, 3)], &[(5, 1), (0, 1), (0, 7)], &[(0, 3), (1, 2)], &[(0, 0), (4, 9)]];
        for strategy in strategies {
            for (first, then) in [(0, 10), (1, 9), (3, 7), (7, 30), (50, 1)] {
                let begun = counts(strategy, first);
                let more = distribute(&items(strategy), begun.clone(), then);
                let in_two: Vec<usize> = begun.iter().zip(more).map(|(a, b)| a + b).collect();
                assert_eq!(in_two, counts(strategy, first + then), "{strategy:?} {first} {then}");
            }
        }
    }

    #[test]
    fn what_was_lost_is_replaced_where_it_was() {
        let strategy = [(2, 1), (0, 3)];
        let all = counts(&strategy, 14);
        assert_eq!(all, [5, 9]);
        assert_eq!(distribute(&items(&strategy), vec![5, 4], 5), [0, 5]);
        assert_eq!(distribute(&items(&strategy), vec![0, 9], 5), [5, 0]);
    }
}
