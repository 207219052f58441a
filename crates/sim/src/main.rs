//! `sim 300`: seeds 0 to 299. `sim --seed 42`: one seed with its trace. `sim --mutate NAME 60`: seeds with a fault put in.

use sim::{Mutation, Outcome, run};
use std::process::ExitCode;

struct Arguments {
    seeds: Vec<u64>,
    mutation: Option<Mutation>,
    story: bool,
    only: Option<String>,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("sim: {error}\nusage: sim [COUNT | --seed SEED] [--mutate NAME] [--task ID]");
            return ExitCode::from(2);
        }
    };
    let mut failed = 0;
    let mut steps = 0;
    for seed in &arguments.seeds {
        let outcome = run(*seed, arguments.mutation);
        steps += outcome.steps;
        failed += usize::from(outcome.violation.is_some());
        tell(&outcome, &arguments);
    }
    println!("{} seeds, {steps} steps, {failed} failed", arguments.seeds.len());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(outcome: &Outcome, arguments: &Arguments) {
    if arguments.story {
        let wanted = |line: &&String| arguments.only.as_ref().is_none_or(|id| line.contains(id.as_str()));
        outcome.trace.iter().filter(wanted).for_each(|line| println!("{line}"));
    }
    if let Some(violation) = &outcome.violation {
        println!("seed {}: {}: {}", outcome.seed, violation.oracle, violation.what);
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut parsed = Arguments { seeds: (0..300).collect(), mutation: None, story: false, only: None };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
        match argument.as_str() {
            "--seed" => {
                parsed.seeds = vec![number(&value()?)?];
                parsed.story = true;
            }
            "--mutate" => parsed.mutation = Some(value()?.parse()?),
            "--task" => parsed.only = Some(value()?),
            count => parsed.seeds = (0..number(count)?).collect(),
        }
    }
    Ok(parsed)
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}
