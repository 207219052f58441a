//! A million tasks of a thousand services, placed over five thousand nodes through the real writer: handler, scheduler,
//! placement, ledgers, tasks, their histories and events, encoding, groups of work, the store's image.
//! `cargo bench -p ecs --bench million [-- SERVICES [TASKS-PER-SERVICE [NODES]]]`. Prints what it took; asserts only that every task
//! has a place and every ledger is the sum of its tasks. With `--file DIR` rows are kept as a server keeps them, on a disk.

use base::{Rng, Scope, Time};
use ecs::node::ledger;
use ecs::task::Task;
use kernel::core::{self, Core, Work};
use kernel::plane::Who;
use kernel::service::Prepared;
use kernel::{Caller, Services, Word};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::Backend;
use store::backend::file::File;
use store::backend::mem::Mem;
use workload::NodeFacts;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let file = arguments.iter().position(|argument| argument == "--file").map(|at| arguments[at + 1].clone());
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse::<usize>().ok());
    let mut number = |default| numbers.next().unwrap_or(default);
    let (services, tasks, nodes) = (number(1000), number(1000), number(5000));
    let mut core = plane(file.as_deref(), nodes);
    let started = Instant::now();
    let mut slowest = Duration::ZERO;
    for service in 0..services {
        let body = format!(r#"{{"serviceName":"s{service}","taskDefinition":"job","desiredCount":{tasks},"launchType":"EC2"}}"#);
        let work = call(&core, "CreateService", &body);
        let before = Instant::now();
        run(&mut core, vec![work]);
        slowest = slowest.max(before.elapsed());
    }
    report(&core, services * tasks, started.elapsed(), slowest);
}

fn report(core: &Core, wanted: usize, took: Duration, slowest: Duration) {
    let placed = core.image().scan::<Task>().filter(|task| task.node.is_some()).count();
    let per_second = placed as f64 / took.as_secs_f64();
    println!("{placed} tasks placed in {:.1} s: {per_second:.0}/s; the slowest service took {slowest:.1?}", took.as_secs_f64());
    println!("memory at most {} MB", peak_kib() / 1024);
    assert_eq!(placed, wanted, "every task has a place");
    ledger::audit(core.image()).expect("every ledger is the sum of its tasks");
}

/// https://man7.org/linux/man-pages/man5/proc_pid_status.5.html, `VmHWM`.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}

fn plane(file: Option<&str>, nodes: usize) -> Core {
    let services = Arc::new(Services::new(vec![ecs::service()]));
    let backend: Box<dyn Backend> = match file {
        Some(directory) => Box::new(File::open(Path::new(directory)).expect("a directory to keep rows in")),
        None => Box::new(Mem::new()),
    };
    let mut core = Core::open(services, backend, Rng::from_seed(1)).expect("rows can be read");
    (0..nodes).map(facts).for_each(|facts| core.hear(facts.id.clone(), Word::Joined(facts)));
    run(&mut core, Vec::new());
    let definition = r#"{"family":"job","containerDefinitions":[{"name":"app","image":"app","cpu":1,"memory":4}]}"#;
    let work = call(&core, "RegisterTaskDefinition", definition);
    run(&mut core, vec![work]);
    core
}

fn facts(index: usize) -> NodeFacts {
    NodeFacts {
        id: format!("i-{index:017}"),
        account: "123456789012".into(),
        region: "us-east-1".into(),
        cpu_units: 4096,
        memory_mib: 8192,
        availability_zone: ["us-east-1a", "us-east-1b", "us-east-1c"][index % 3].into(),
        ..NodeFacts::default()
    }
}

fn call(core: &Core, operation: &str, body: &str) -> Work {
    let service = core.services().iter().next().expect("there is one service");
    let Ok(Prepared::Write(run)) = service.prepare(operation, body.as_bytes()) else { panic!("{operation} writes") };
    let who = Who { scope: Scope::new("123456789012", "us-east-1"), caller: Caller::default(), request_id: String::new() };
    core::transaction(who, run, |answer| {
        let encoded = answer.and_then(|encode| encode()).expect("it is answered");
        assert!(!encoded.is_empty());
    })
}

fn run(core: &mut Core, works: Vec<Work>) {
    let (_, settles, kept) = core.run(Time(1_700_000_000_000), works);
    kept.as_ref().expect("it is kept");
    settles.into_iter().for_each(|settle| settle(&kept));
}
