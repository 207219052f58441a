//! A few seeds with every test run, and the proof that the oracles see. What seeds found has a case of its own beside the fix.

use sim::{Mutation, run};

const SEEDS: u64 = 30;

#[test]
fn the_first_seeds_hold() {
    for seed in 0..SEEDS {
        assert_eq!(run(seed, None).violation, None, "seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_story() {
    for seed in [3, 14] {
        assert_eq!(run(seed, None), run(seed, None), "seed {seed}");
    }
}

/// Some seed of the first sixty notices each.
#[test]
fn every_mutation_is_noticed() {
    let is_noticed = |mutation| (0..60).any(|seed| run(seed, Some(mutation)).violation.is_some());
    let unnoticed: Vec<Mutation> = Mutation::ALL.into_iter().filter(|mutation| !is_noticed(*mutation)).collect();
    assert_eq!(unnoticed, []);
}
