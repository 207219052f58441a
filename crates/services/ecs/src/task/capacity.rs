//! On what a request's tasks run: launch types and capacity provider strategies, the cluster's own included, become shares
//! of one kind each. Pure.
//! https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html

use crate::cluster::Cluster;
use api_ecs as api;

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

pub fn shares(
    cluster: &Cluster,
    launch_type: Option<&api::LaunchType>,
    strategy: Option<&[api::CapacityProviderStrategyItem]>,
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
        (None, Some(items)) => by_strategy(cluster, items, count),
        (None, None) if !cluster.default_capacity_provider_strategy.is_empty() => {
            by_strategy(cluster, &cluster.default_capacity_provider_strategy, count)
        }
        (None, None) => Ok(vec![Share { launch_type: api::LaunchType::Ec2, capacity_provider: None, count }]),
    }
}

fn by_strategy(cluster: &Cluster, items: &[api::CapacityProviderStrategyItem], count: usize) -> Result<Vec<Share>, api::Error> {
    check(cluster, items)?;
    let counts = distribute(items, count);
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
    let name = |item: &api::CapacityProviderStrategyItem| item.capacity_provider.clone().unwrap_or_default();
    if !items.iter().all(|item| cluster.capacity_providers.contains(&name(item))) {
        return refuse(
            "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. \
             Associate the capacity provider with the cluster and try again.",
        );
    }
    if items.iter().all(|item| weight(item) == 0) {
        return refuse(
            "The specified capacity provider strategy must contain at least one capacity provider with a weight above 0.",
        );
    }
    if items.iter().filter(|item| base(item) > 0).count() > 1 {
        return refuse("The specified capacity provider strategy cannot contain more than one capacity provider with a base.");
    }
    Ok(())
}

/// Bases first, then one by one to whoever is furthest below its share of the weights.
fn distribute(items: &[api::CapacityProviderStrategyItem], count: usize) -> Vec<usize> {
    let mut counts: Vec<usize> = vec![0; items.len()];
    let mut left = count;
    for (count, item) in counts.iter_mut().zip(items) {
        *count = base(item).min(left);
        left -= *count;
    }
    let mut weighed = vec![0usize; items.len()];
    for _ in 0..left {
        let weighty = (0..items.len()).filter(|i| weight(&items[*i]) > 0);
        // (n + 1) / weight, compared without fractions; the first of equals.
        let next = weighty.reduce(|a, b| {
            let (next_a, next_b) = ((weighed[a] + 1) * weight(&items[b]), (weighed[b] + 1) * weight(&items[a]));
            if next_b < next_a { b } else { a }
        });
        let Some(next) = next else { break };
        weighed[next] += 1;
        counts[next] += 1;
    }
    counts
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

    fn counts(items: &[(i32, i32)], count: usize) -> Vec<usize> {
        let item = |(base, weight): &(i32, i32)| api::CapacityProviderStrategyItem {
            capacity_provider: Some("FARGATE".into()),
            base: Some(*base),
            weight: Some(*weight),
        };
        distribute(&items.iter().map(item).collect::<Vec<_>>(), count)
    }

    #[test]
    fn the_base_comes_first_and_the_rest_by_weight() {
        assert_eq!(counts(&[(0, 1), (0, 1)], 5), [3, 2]);
        assert_eq!(counts(&[(2, 1), (0, 3)], 10), [4, 6]);
        assert_eq!(counts(&[(20, 1), (0, 1)], 10), [10, 0]);
        assert_eq!(counts(&[(0, 0), (0, 7)], 3), [0, 3]);
        assert_eq!(counts(&[(0, 1), (0, 4)], 10), [2, 8]);
    }
}
