//! Where tasks land, and why they do not: a pure function of candidates and a request. Resources first, then attributes and
//! constraints, then strategies in order, each narrowing what the one before leaves equal; what is equal to the end is
//! drawn. Writes no row and never gives a node more than it has.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-strategies.html

mod candidate;
pub mod constraint;
pub mod fit;
pub mod fleet;
pub mod request;

pub use candidate::Candidate;
pub use fit::Reason;
pub use request::{Field, Request, Resource, Rule, Strategy, Wanted};

use base::Rng;

/// Indices into the candidates, one a task, in the order of placing. If there are fewer than asked for, no candidate could
/// take another one, each for its reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placement {
    pub chosen: Vec<usize>,
    pub rejected: Vec<(usize, Reason)>,
}

pub fn place(request: &Request, candidates: &[Candidate], rng: &mut Rng) -> Placement {
    let mut placed = vec![0u32; candidates.len()];
    let mut placement = Placement::default();
    while placement.chosen.len() < request.count {
        let verdicts: Vec<_> = candidates.iter().zip(&placed).map(|(c, placed)| fit::check(request, c, *placed)).collect();
        let fitting: Vec<usize> = (0..candidates.len()).filter(|i| verdicts[*i].is_ok()).collect();
        let Some(chosen) = rng.pick(&fitting) else {
            placement.rejected = verdicts.iter().enumerate().filter_map(|(i, v)| Some((i, v.err()?))).collect();
            return placement;
        };
        placed[*chosen] += 1;
        placement.chosen.push(*chosen);
    }
    placement
}
