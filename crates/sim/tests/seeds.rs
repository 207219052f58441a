//! A few seeds with every test run, the seeds that once failed, and the proof that the oracles see.

use sim::{Mutation, run};

#[test]
fn the_first_seeds_hold() {
    for seed in 0..40 {
        let outcome = run(seed, None);
        assert_eq!(outcome.violation, None, "seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [3, 14] {
        assert_eq!(run(seed, None), run(seed, None), "seed {seed}");
    }
}

/// Some seed of the first sixty notices each mutation.
#[test]
fn every_mutation_is_noticed() {
    for mutation in Mutation::ALL {
        let noticed = (0..60).any(|seed| run(seed, Some(mutation)).violation.is_some());
        assert!(noticed, "{mutation:?} goes unnoticed");
    }
}
