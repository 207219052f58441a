//! RunTask through the real writer, rows in memory: handler, placement, ledgers, tasks, encoding, groups of work.
//! `cargo bench -p ecs --bench run_task`. The fleet fills while it is measured.

use base::{Rng, Scope, Time};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kernel::core::{self, Core, Work};
use kernel::plane::Who;
use kernel::service::Prepared;
use kernel::{Caller, Services, Word};
use std::sync::Arc;
use store::backend::mem::Mem;
use workload::NodeFacts;

const CALLS_PER_GROUP: usize = 64;
const TASKS_PER_CALL: usize = 10;

fn plane(nodes: usize) -> Core {
    let services = Arc::new(Services::new(vec![ecs::service()]));
    let mut core = Core::open(services, Box::new(Mem::new()), Rng::from_seed(1)).expect("memory can be read");
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
        cpu_units: 1 << 20,
        memory_mib: 1 << 30,
        availability_zone: ["us-east-1a", "us-east-1b"][index % 2].into(),
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
    settles.into_iter().for_each(|settle| settle(&kept));
}

fn run_task(c: &mut Criterion) {
    let mut group = c.benchmark_group("run-task-through-the-writer");
    group.throughput(Throughput::Elements((CALLS_PER_GROUP * TASKS_PER_CALL) as u64)).sample_size(10);
    let spread = r#","placementStrategy":[{"type":"spread","field":"attribute:ecs.availability-zone"},{"type":"spread","field":"instanceId"}]"#;
    for (name, strategy) in [("random", ""), ("spread", spread)] {
        for nodes in [1, 1000, 5000] {
            let body = format!(r#"{{"taskDefinition":"job","count":{TASKS_PER_CALL}{strategy}}}"#);
            let mut core = plane(nodes);
            group.bench_function(BenchmarkId::new(name, format!("{nodes}-nodes")), |b| {
                b.iter(|| {
                    let works = (0..CALLS_PER_GROUP).map(|_| call(&core, "RunTask", &body)).collect();
                    run(&mut core, works);
                });
            });
        }
    }
}

criterion_group!(benches, run_task);
criterion_main!(benches);
