//! `sim 300`: seeds 0 to 299. `sim --seed 42`: one seed with its story, or with `--task ID` what concerns one task of it.
//! `sim --mutate NAME 60`: seeds with a fault put in; `sim --mutations 60`: each of them, and the first seed that notices.

use sim::{Mutation, Outcome, run};
use std::process::ExitCode;

const USAGE: &str = "usage: sim [COUNT] [--seed SEED] [--task ID] [--mutate NAME] [--mutations]";

struct Arguments {
    seeds: Vec<u64>,
    mutation: Option<Mutation>,
    all_mutations: bool,
    tells: bool,
    task: Option<String>,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)) {
        Err(error) => {
            eprintln!("sim: {error}\n{USAGE}");
            ExitCode::from(2)
        }
        Ok(arguments) if arguments.all_mutations => search(&arguments.seeds),
        Ok(arguments) => simulate(&arguments),
    }
}

fn simulate(arguments: &Arguments) -> ExitCode {
    let (mut failed, mut steps) = (0, 0);
    for seed in &arguments.seeds {
        let outcome = run(*seed, arguments.mutation);
        steps += outcome.steps;
        failed += usize::from(outcome.violation.is_some());
        tell(&outcome, arguments);
    }
    println!("{} seeds, {steps} steps, {failed} failed", arguments.seeds.len());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(outcome: &Outcome, arguments: &Arguments) {
    if arguments.tells {
        // The story has the first eight digits of an id.
        let task = arguments.task.as_ref().map(|id| id.get(..8).unwrap_or(id));
        let concerns = |line: &&String| task.is_none_or(|task| line.contains(task));
        outcome.story.iter().filter(concerns).for_each(|line| println!("{line}"));
    }
    if let Some(violation) = &outcome.violation {
        println!("seed {}: {}: {}", outcome.seed, violation.oracle, violation.what);
    }
}

fn search(seeds: &[u64]) -> ExitCode {
    let mut unnoticed = 0;
    for mutation in Mutation::ALL {
        match seeds.iter().find_map(|seed| Some((*seed, run(*seed, Some(mutation)).violation?))) {
            Some((seed, violation)) => println!("{mutation:?}: seed {seed}: {}: {}", violation.oracle, violation.what),
            None => {
                unnoticed += 1;
                println!("{mutation:?}: goes unnoticed");
            }
        }
    }
    if unnoticed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut parsed = Arguments { seeds: (0..300).collect(), mutation: None, all_mutations: false, tells: false, task: None };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
        match argument.as_str() {
            "--seed" => (parsed.seeds, parsed.tells) = (vec![number(&value()?)?], true),
            "--mutate" => parsed.mutation = Some(value()?.parse()?),
            "--mutations" => parsed.all_mutations = true,
            "--task" => parsed.task = Some(value()?),
            count => parsed.seeds = (0..number(count)?).collect(),
        }
    }
    Ok(parsed)
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}
