//! The order in which strategies want instances. An instance's place is one number a strategy, compared in turn, the least
//! first: what is left after binpack, the tasks of the group that are already there for spread. Spread counts inside the
//! values that strategies before it spread over ("across zones, then across instances within each zone").
//!
//! Spreading over an attribute changes the number of every instance with that value at once, so instances are kept in a tree
//! of values: a placement moves one instance and the values above it, whatever the size of the fleet.

use super::{Candidate, Field, Request, Resource, Strategy, request::STRATEGIES};
use base::Rng;
use std::collections::{BTreeMap, BTreeSet};

/// One number a strategy; zero where a value of the tree above says it, or where there is no strategy.
pub type Rank = [u64; STRATEGIES];

/// What the instance itself adds to its rank, with `already` tasks of the batch on it.
pub fn own_rank(request: &Request, candidate: &Candidate, already: u32) -> Rank {
    let mut rank = Rank::default();
    for (number, strategy) in rank.iter_mut().zip(effective(&request.strategies)) {
        *number = match strategy {
            Strategy::Binpack(resource) => left_after(request, candidate, *resource, already),
            Strategy::Spread(Field::Instance) => u64::from(candidate.group_tasks(request)) + u64::from(already),
            Strategy::Spread(Field::Attribute(_)) | Strategy::Random => 0,
        };
    }
    rank
}

/// Behind `random` nothing is equal any more.
pub fn effective(strategies: &[Strategy]) -> &[Strategy] {
    let end = strategies.iter().position(|strategy| *strategy == Strategy::Random).unwrap_or(strategies.len());
    &strategies[..end.min(STRATEGIES)]
}

fn left_after(request: &Request, candidate: &Candidate, resource: Resource, already: u32) -> u64 {
    let (facts, ledger, times) = (&candidate.node.facts, candidate.ledger, u64::from(already) + 1);
    match resource {
        Resource::Cpu => u64::from(facts.cpu_units)
            .saturating_sub(u64::from(ledger.cpu_units))
            .saturating_sub(u64::from(request.claim.cpu_units) * times),
        Resource::Memory => {
            facts.memory_mib.saturating_sub(ledger.memory_mib).saturating_sub(request.claim.memory_mib.saturating_mul(times))
        }
    }
}

/// Values an instance is spread by: the level of the strategy, and its attribute's value.
fn values<'a>(strategies: &'a [Strategy], candidate: &'a Candidate) -> impl Iterator<Item = (usize, Option<&'a str>)> {
    effective(strategies).iter().enumerate().filter_map(|(level, strategy)| match strategy {
        Strategy::Spread(Field::Attribute(name)) => Some((level, candidate.attribute(name).flatten())),
        _ => None,
    })
}

/// Instances that can take another task, the one to take next first.
pub struct Order {
    /// The root is first, parents before children.
    branches: Vec<Branch>,
    /// Of every candidate, fitting or not.
    leaf_of: Vec<usize>,
}

/// All instances that have the same values so far.
struct Branch {
    parent: usize,
    level: usize,
    /// Of the group, on all candidates below: also on those that are full.
    tasks: u64,
    /// Under which rank the parent has it; none if it has nothing to offer.
    listed: Option<Rank>,
    /// Branches below, or instances where there are none.
    below: BTreeSet<(Rank, usize)>,
    instances: BTreeMap<Rank, Vec<usize>>,
}

const ROOT: usize = 0;

impl Order {
    pub fn new(request: &Request, candidates: &[Candidate]) -> Order {
        let mut order = Order { branches: vec![Branch::new(ROOT, 0)], leaf_of: Vec::with_capacity(candidates.len()) };
        let mut known: BTreeMap<(usize, Option<&str>), usize> = BTreeMap::new();
        for candidate in candidates {
            let tasks = u64::from(candidate.group_tasks(request));
            let mut at = ROOT;
            for (level, value) in values(&request.strategies, candidate) {
                at = *known.entry((at, value)).or_insert_with(|| {
                    order.branches.push(Branch::new(at, level));
                    order.branches.len() - 1
                });
                order.branches[at].tasks += tasks;
            }
            order.leaf_of.push(at);
        }
        order
    }

    pub fn insert(&mut self, candidate: usize, own_rank: Rank) {
        let leaf = self.leaf_of[candidate];
        self.branches[leaf].instances.entry(own_rank).or_default().push(candidate);
        self.relist(leaf);
    }

    /// Takes the first out; of several that are equal, one that is drawn. It counts as having another task of the group.
    pub fn take(&mut self, rng: &mut Rng) -> Option<usize> {
        let leaf = self.first_leaf()?;
        let mut equal = self.branches[leaf].instances.first_entry()?;
        let drawn = rng.below(equal.get().len() as u64) as usize;
        let candidate = equal.get_mut().swap_remove(drawn);
        if equal.get().is_empty() {
            equal.remove();
        }
        self.count(leaf);
        self.relist(leaf);
        Some(candidate)
    }

    fn first_leaf(&self) -> Option<usize> {
        let mut at = ROOT;
        while let Some((_, below)) = self.branches[at].below.first() {
            at = *below;
        }
        (!self.branches[at].instances.is_empty()).then_some(at)
    }

    fn count(&mut self, leaf: usize) {
        let mut at = leaf;
        while at != ROOT {
            self.branches[at].tasks += 1;
            at = self.branches[at].parent;
        }
    }

    /// Lists a branch, and those above it, where it belongs by now.
    fn relist(&mut self, leaf: usize) {
        let mut at = leaf;
        while at != ROOT {
            let (parent, was, is) = (self.branches[at].parent, self.branches[at].listed, self.branches[at].rank());
            if was != is {
                let siblings = &mut self.branches[parent].below;
                was.map(|rank| siblings.remove(&(rank, at)));
                is.map(|rank| siblings.insert((rank, at)));
                self.branches[at].listed = is;
            }
            at = parent;
        }
    }
}

impl Branch {
    fn new(parent: usize, level: usize) -> Branch {
        Branch { parent, level, tasks: 0, listed: None, below: BTreeSet::new(), instances: BTreeMap::new() }
    }

    /// Of the best below it, with its own count.
    fn rank(&self) -> Option<Rank> {
        let below = self.below.first().map(|(rank, _)| rank);
        let mut rank = *below.or_else(|| self.instances.first_key_value().map(|(rank, _)| rank))?;
        rank[self.level] = self.tasks;
        Some(rank)
    }
}
