//! What a capacity provider strategy means, as its documentation has it. Shares no code with the scheduler.
//! https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html

use api_ecs::CapacityProviderStrategyItem;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Debug)]
pub struct Share {
    pub provider: String,
    base: usize,
    weight: usize,
}

/// How many tasks there are, by capacity provider.
pub type Counts = BTreeMap<String, usize>;

pub fn of(items: Option<&Vec<CapacityProviderStrategyItem>>) -> Vec<Share> {
    let number = |given: Option<i32>| given.unwrap_or(0).unsigned_abs() as usize;
    let share = |item: &CapacityProviderStrategyItem| Share {
        provider: item.capacity_provider.clone().unwrap_or_default(),
        base: number(item.base),
        weight: number(item.weight),
    };
    items.into_iter().flatten().map(share).collect()
}

/// As a request says it.
pub fn asked(items: &Value) -> Vec<Share> {
    let number = |given: &Value| given.as_u64().unwrap_or(0) as usize;
    let share = |item: &Value| Share {
        provider: item["capacityProvider"].as_str().unwrap_or_default().to_owned(),
        base: number(&item["base"]),
        weight: number(&item["weight"]),
    };
    items.as_array().into_iter().flatten().map(share).collect()
}

/// How many go to each if `count` more are started: first as many as the bases lack, then turn by turn, where the nth turn of
/// a provider comes the sooner the more weight it has.
pub fn further(shares: &[Share], running: &Counts, count: usize) -> Counts {
    let has = |share: &Share| running.get(&share.provider).copied().unwrap_or_default();
    let (mut left, mut further) = (count, Counts::new());
    for share in shares {
        let first = share.base.saturating_sub(has(share)).min(left);
        left -= first;
        further.insert(share.provider.clone(), first);
    }
    let mut turns: Vec<(f64, &str)> = Vec::new();
    for share in shares.iter().filter(|share| share.weight > 0) {
        let gone = has(share).saturating_sub(share.base);
        turns.extend((1..=left).map(|turn| ((gone + turn) as f64 / share.weight as f64, share.provider.as_str())));
    }
    // Stable: of equals the first in the strategy.
    turns.sort_by(|one, other| one.0.total_cmp(&other.0));
    turns.into_iter().take(left).for_each(|(_, provider)| *further.entry(provider.to_owned()).or_default() += 1);
    further
}
