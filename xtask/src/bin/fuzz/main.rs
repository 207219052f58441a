//! Throws bodies at everything that reads what callers send, in this process, and catches panics and broken promises. Runs with
//! the same seed throw the same bodies; a failure prints its target and its body. `cargo xtask fuzz --seconds 60` starts it.

mod bodies;
mod ecs;
mod mutate;

use base::{Clock, Rng, SystemClock};
use clap::Parser;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Duration;

#[derive(Parser)]
struct Arguments {
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// The first seed; every round has the next.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// One reader of bodies.
pub struct Target {
    pub name: String,
    /// Bodies that are nearly right.
    pub seeds: Vec<Vec<u8>>,
    /// A body of the shape the target expects, with some things wrong.
    pub invent: Invent,
    pub run: Run,
}

pub type Invent = Box<dyn Fn(&mut Rng) -> Vec<u8>>;
/// Whether the target took the body, or which promise was broken.
pub type Run = fn(&[u8]) -> Result<bool, String>;

/// What became of the bodies of one target.
#[derive(Default)]
struct Tally {
    taken: u64,
    refused: u64,
}

fn main() -> ExitCode {
    let Arguments { seconds, seed } = Arguments::parse();
    let targets = ecs::targets();
    let end = SystemClock.now() + Duration::from_secs(seconds);
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    for round in seed.. {
        for target in &targets {
            let body = body(target, &mut Rng::from_seed(round));
            let tally = tallies.entry(&target.name).or_default();
            match attempt(target, &body) {
                Ok(true) => tally.taken += 1,
                Ok(false) => tally.refused += 1,
                Err(failure) => return fail(target, round, &body, &failure),
            }
        }
        if SystemClock.now() >= end {
            break;
        }
    }
    report(&tallies)
}

fn body(target: &Target, rng: &mut Rng) -> Vec<u8> {
    let body = match rng.pick(&target.seeds) {
        Some(seed) if rng.chance(50) => seed.clone(),
        _ => (target.invent)(rng),
    };
    if rng.chance(60) { mutate::mutate(body, &target.seeds, rng) } else { body }
}

fn attempt(target: &Target, body: &[u8]) -> Result<bool, String> {
    catch_unwind(AssertUnwindSafe(|| (target.run)(body))).unwrap_or_else(|_| Err("it panicked".to_owned()))
}

fn fail(target: &Target, round: u64, body: &[u8], failure: &str) -> ExitCode {
    eprintln!("{}: {failure}\nseed {round}, body {} bytes:\n{}", target.name, body.len(), String::from_utf8_lossy(body));
    ExitCode::FAILURE
}

/// A target that takes nothing, or everything, shows that the bodies are no good: the fuzzing is then worth nothing.
fn report(tallies: &BTreeMap<&str, Tally>) -> ExitCode {
    let (mut taken, mut refused, mut one_sided) = (0, 0, Vec::new());
    for (name, tally) in tallies {
        taken += tally.taken;
        refused += tally.refused;
        if tally.taken == 0 || tally.refused == 0 {
            one_sided.push(*name);
        }
    }
    println!("{} targets, {} bodies: {taken} taken, {refused} refused", tallies.len(), taken + refused);
    if one_sided.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("all or nothing was taken by {}", one_sided.join(", "));
    ExitCode::FAILURE
}
