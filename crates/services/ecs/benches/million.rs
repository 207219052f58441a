//! A million tasks of a thousand services, placed over five thousand nodes through the real writer: handler, scheduler,
//! placement, ledgers, tasks, their histories and events, encoding, groups of work, the store's image.
//! `cargo bench -p ecs --bench million [-- SERVICES [TASKS-PER-SERVICE [NODES]]]`. Nodes are connected, but nobody is there to be
//! sent what they are to run. Prints what it took; asserts only that every task has a place and every ledger is the sum of its
//! tasks. Rows are encoded and handed over, then forgotten; with `--file PATH` they are kept as a server keeps them, in a file,
//! each group synced to the disk.

mod plane;

use ecs::node::ledger;
use ecs::task::Task;
use kernel::core::Core;
use plane::{NOW, call, run};
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};
use store::backend::file::File;
use store::{Backend, Epoch, Loaded, Revision, Write};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let file = arguments.iter().position(|argument| argument == "--file").map(|at| arguments[at + 1].clone());
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse::<usize>().ok());
    let mut number = |default| numbers.next().unwrap_or(default);
    let (services, tasks, nodes) = (number(1000), number(1000), number(5000));
    let mut core = plane::plane(backend(file.as_deref()), nodes);
    let started = Instant::now();
    let mut slowest = Duration::ZERO;
    for service in 0..services {
        let body = format!(r#"{{"serviceName":"s{service}","taskDefinition":"job","desiredCount":{tasks},"launchType":"EC2"}}"#);
        let work = call(&core, "CreateService", &body);
        let before = Instant::now();
        run(&mut core, NOW + Duration::from_millis(100 * service as u64), vec![work]);
        slowest = slowest.max(before.elapsed());
    }
    report(&core, services * tasks, started.elapsed(), slowest);
}

fn report(core: &Core, wanted: usize, took: Duration, slowest: Duration) {
    let placed = core.image().scan::<Task>().filter(|task| task.node.is_some()).count();
    let per_second = placed as f64 / took.as_secs_f64();
    println!("{placed} tasks placed in {:.1} s: {per_second:.0}/s; the slowest service took {slowest:.1?}", took.as_secs_f64());
    println!("CPU {:.1} s, memory at most {} MB", cpu().as_secs_f64(), peak_kib() / 1024);
    assert_eq!(placed, wanted, "every task has a place");
    ledger::audit(core.image()).expect("every ledger is the sum of its tasks");
}

/// https://man7.org/linux/man-pages/man5/proc_pid_status.5.html, `VmHWM`.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}

/// What this process has used: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html, `utime` and `stime`, in ticks of 10 ms.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    Duration::from_millis(fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10)
}

fn backend(file: Option<&str>) -> Box<dyn Backend> {
    match file {
        Some(path) => Box::new(File::open(Path::new(path)).expect("a new file to keep rows in")),
        None => Box::new(Forgetful::default()),
    }
}

/// Is given every row as it is to be kept, and forgets it: what a disk has, memory need not have a second time.
#[derive(Default)]
struct Forgetful(Revision);

impl Backend for Forgetful {
    fn lead(&mut self) -> store::Result<Epoch> {
        Ok(1)
    }

    fn load(&mut self) -> store::Result<Loaded> {
        Ok(Loaded::default())
    }

    fn commit(&mut self, _: Epoch, writes: &[Write]) -> store::Result<Revision> {
        black_box(writes);
        self.0 += 1;
        Ok(self.0)
    }
}
