//! Where tasks land, and why they do not: a pure function of candidates and a request. Resources first, then attributes and
//! constraints, then strategies in order, each narrowing what the one before leaves equal; what is equal to the end is
//! drawn. Writes no row and never gives a node more than it has.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-strategies.html

mod candidate;
pub mod constraint;
pub mod fit;
pub mod fleet;
pub mod request;
mod strategy;
#[cfg(test)]
mod tests;

pub use candidate::{Candidate, Groups};
pub use fit::Reason;
pub use fleet::Fleet;
pub use request::{Field, Request, Resource, Rule, Strategy, Wanted};

use base::Rng;
use strategy::{Order, Rank};

/// Indices into the candidates, one a task, in the order of placing. If there are fewer than asked for, no candidate could
/// take another one, each for its reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placement {
    pub chosen: Vec<usize>,
    pub rejected: Vec<(usize, Reason)>,
}

pub fn place(request: &Request, fleet: &dyn Fleet, rng: &mut Rng) -> Placement {
    if strategy::effective(&request.strategies).is_empty() {
        return drawn(request, fleet, rng);
    }
    let candidates: Vec<Candidate> = (0..fleet.len()).map(|index| fleet.candidate(index)).collect();
    ordered(request, &candidates, rng)
}

fn ordered(request: &Request, candidates: &Vec<Candidate>, rng: &mut Rng) -> Placement {
    let mut order = Order::new(request, candidates);
    let mut batch = Batch::new(request, candidates);
    for index in 0..candidates.len() {
        batch.offer(index, |rank| order.insert(index, rank));
    }
    while batch.chosen.len() < request.count {
        let Some(index) = order.take(rng) else { return batch.short() };
        batch.choose(index);
        batch.offer(index, |rank| order.insert(index, rank));
    }
    batch.whole()
}

/// Without an order nobody is looked at before it is drawn.
fn drawn(request: &Request, fleet: &dyn Fleet, rng: &mut Rng) -> Placement {
    let mut batch = Batch::new(request, fleet);
    let mut hat: Vec<usize> = (0..fleet.len()).collect();
    while batch.chosen.len() < request.count {
        if hat.is_empty() {
            return batch.short();
        }
        let at = rng.below(hat.len() as u64) as usize;
        let mut fits = false;
        batch.offer(hat[at], |_| fits = true);
        if fits {
            batch.choose(hat[at]);
        } else {
            hat.swap_remove(at);
        }
    }
    batch.whole()
}

/// What has been placed so far. Placing changes nothing about any instance but the one that is chosen, so who once did not
/// fit need not be asked again.
struct Batch<'a> {
    request: &'a Request,
    fleet: &'a dyn Fleet,
    placed: Vec<u32>,
    chosen: Vec<usize>,
    rejected: Vec<(usize, Reason)>,
}

impl<'a> Batch<'a> {
    fn new(request: &'a Request, fleet: &'a dyn Fleet) -> Batch<'a> {
        let (placed, chosen) = (vec![0; fleet.len()], Vec::with_capacity(request.count));
        Batch { request, fleet, placed, chosen, rejected: Vec::new() }
    }

    /// Hands on the instance's rank if it can take another task.
    fn offer(&mut self, index: usize, take: impl FnOnce(Rank)) {
        let (candidate, already) = (self.fleet.candidate(index), self.placed[index]);
        match fit::check(self.request, &candidate, already) {
            Ok(()) => take(strategy::own_rank(self.request, &candidate, already)),
            Err(reason) => self.rejected.push((index, reason)),
        }
    }

    fn choose(&mut self, index: usize) {
        self.placed[index] += 1;
        self.chosen.push(index);
    }

    fn whole(self) -> Placement {
        Placement { chosen: self.chosen, rejected: Vec::new() }
    }

    fn short(mut self) -> Placement {
        self.rejected.sort_unstable();
        Placement { chosen: self.chosen, rejected: self.rejected }
    }
}
