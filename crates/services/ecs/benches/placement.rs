//! Placements a second, over fleets that are empty and fleets that are nearly full: `cargo bench -p ecs --bench placement`.
//! A batch is what a service scheduler places at once; calls are RunTask's ten at a time, each looking at the fleet anew.

use base::Rng;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ecs::node::{Ledger, Node};
use ecs::placement::constraint::parse;
use ecs::placement::{Candidate, Field, Request, Resource, Rule, Strategy, place};
use ecs::task::Claim;
use std::collections::BTreeMap;
use workload::NodeFacts;

const TASKS: usize = 10_000;
const GROUP: &str = "123456789012/us-east-1/default/family:web";

/// Room for twenty tasks each, `full` percent of it taken.
type Host = (Node, Ledger, BTreeMap<String, u32>);

fn fleet(nodes: usize, full: u32) -> Vec<Host> {
    let node = |index: usize| {
        let zone = ["a", "b", "c"][index % 3].to_owned();
        let facts = NodeFacts {
            id: format!("i-{index:017}"),
            cpu_units: 20 * 256,
            memory_mib: 20 * 512,
            attributes: BTreeMap::from([
                ("ecs.availability-zone".to_owned(), Some(zone)),
                ("ecs.instance-type".to_owned(), Some("m7g.xlarge".to_owned())),
            ]),
            ..NodeFacts::default()
        };
        let mut host = (Node { facts, connected: true }, Ledger::default(), BTreeMap::new());
        (0..20 * full / 100).for_each(|_| take(&mut host));
        host
    };
    (0..nodes).map(node).collect()
}

fn take((_, ledger, groups): &mut Host) {
    ledger.cpu_units += 256;
    ledger.memory_mib += 512;
    *groups.entry(GROUP.to_owned()).or_default() += 1;
}

fn candidates(fleet: &[Host]) -> Vec<Candidate<'_>> {
    fleet.iter().map(|(node, ledger, groups)| Candidate { node, ledger, groups, instance: None, running_tasks: 0 }).collect()
}

fn request(strategies: &[Strategy], count: usize) -> Request {
    let member = parse("attribute:ecs.instance-type =~ m7g.* and attribute:ecs.availability-zone != d").expect("it is one");
    Request {
        claim: Claim { cpu_units: 256, memory_mib: 512, ..Claim::default() },
        rules: vec![Rule::MemberOf(member)],
        strategies: strategies.to_vec(),
        group_key: GROUP.to_owned(),
        count,
        ..Request::default()
    }
}

fn strategies() -> [(&'static str, Vec<Strategy>); 4] {
    let zone = || Strategy::Spread(Field::Attribute("ecs.availability-zone".to_owned()));
    [
        ("random", vec![]),
        ("binpack", vec![Strategy::Binpack(Resource::Memory)]),
        ("spread", vec![zone(), Strategy::Spread(Field::Instance)]),
        ("spread-binpack", vec![zone(), Strategy::Binpack(Resource::Cpu)]),
    ]
}

fn batch(c: &mut Criterion) {
    let mut group = c.benchmark_group("10000-tasks-in-one-batch");
    group.throughput(Throughput::Elements(TASKS as u64)).sample_size(10);
    for (name, strategies) in strategies() {
        for (nodes, full) in [(1000, 0), (1000, 50), (10_000, 95)] {
            let (fleet, request) = (fleet(nodes, full), request(&strategies, TASKS));
            let candidates = candidates(&fleet);
            group.bench_function(BenchmarkId::new(name, format!("{nodes}-nodes-{full}%-full")), |b| {
                b.iter(|| assert_eq!(place(&request, &candidates, &mut Rng::from_seed(1)).chosen.len(), TASKS));
            });
        }
    }
}

fn calls(c: &mut Criterion) {
    let mut group = c.benchmark_group("10000-tasks-in-1000-calls");
    group.throughput(Throughput::Elements(TASKS as u64)).sample_size(10);
    for (name, strategies) in strategies() {
        for full in [0, 50] {
            let (empty, request) = (fleet(1000, full), request(&strategies, 10));
            group.bench_function(BenchmarkId::new(name, format!("1000-nodes-{full}%-full")), |b| {
                b.iter_batched_ref(|| empty.clone(), |fleet| fill(fleet, &request), criterion::BatchSize::LargeInput);
            });
        }
    }
}

fn fill(fleet: &mut [Host], request: &Request) {
    let mut rng = Rng::from_seed(1);
    for _ in 0..TASKS / request.count {
        let chosen = place(request, &candidates(fleet), &mut rng).chosen;
        assert_eq!(chosen.len(), request.count);
        chosen.into_iter().for_each(|index| take(&mut fleet[index]));
    }
}

criterion_group!(benches, batch, calls);
criterion_main!(benches);
