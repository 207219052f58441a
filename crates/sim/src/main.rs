//! `sim 300`: seeds 0 to 299; `sim 300..900`: seeds 300 to 899, a thread per core. `sim --seed 42`: one seed with its story, or
//! with `--task ID` what concerns one task of it. `sim --mutate NAME 60`: seeds with a fault put in; `sim --mutations 60`: each
//! fault there is, and the first seed that notices it.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use sim::{Mutation, Outcome, in_order, run, short};
use std::process::ExitCode;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "usage: sim [COUNT|FROM..TO] [--seed SEED] [--task ID] [--mutate NAME] [--mutations]";

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
    let (begin, mut failed, mut steps) = (Instant::now(), 0, 0);
    let kept = |outcome: Outcome| Outcome { story: if arguments.tells { outcome.story } else { Vec::new() }, ..outcome };
    in_order(
        &arguments.seeds,
        |seed| kept(run(*seed, arguments.mutation)),
        |outcome| {
            steps += outcome.steps;
            failed += usize::from(outcome.violation.is_some());
            tell(&outcome, arguments);
        },
    );
    let seeds = arguments.seeds.len();
    println!("{seeds} seeds, {steps} steps, {failed} failed");
    let (seconds, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds());
    eprintln!("{:.1} seeds a second, {:.4} s of CPU each", seeds as f64 / seconds, cpu / seeds as f64);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn cpu_seconds() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("everybody may ask about himself");
    (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6
}

fn tell(outcome: &Outcome, arguments: &Arguments) {
    if arguments.tells {
        let task = arguments.task.as_deref().map(short);
        let concerns = |line: &&String| task.is_none_or(|task| line.contains(task));
        outcome.story.iter().filter(concerns).for_each(|line| println!("{line}"));
    }
    if let Some(violation) = &outcome.violation {
        println!("seed {}: {}: {}", outcome.seed, violation.oracle, violation.what);
    }
}

fn search(seeds: &[u64]) -> ExitCode {
    let mut unnoticed = 0;
    let noticed = |mutation: Mutation| seeds.iter().find_map(|seed| Some((*seed, run(*seed, Some(mutation)).violation?)));
    in_order(
        &Mutation::ALL,
        |mutation| (*mutation, noticed(*mutation)),
        |(mutation, noticed)| match noticed {
            Some((seed, violation)) => println!("{mutation:?}: seed {seed}: {}: {}", violation.oracle, violation.what),
            None => {
                unnoticed += 1;
                println!("{mutation:?}: goes unnoticed");
            }
        },
    );
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
            seeds => {
                let (from, to) = seeds.split_once("..").unwrap_or(("0", seeds));
                parsed.seeds = (number(from)?..number(to)?).collect();
            }
        }
    }
    Ok(parsed)
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}
