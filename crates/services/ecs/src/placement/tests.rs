//! Placement held to its definition: what is placed one by one, each time looking at everything, is placed all at once.

use super::*;
use crate::node::{Ledger, Node};
use crate::task::Claim;
use expect_test::{Expect, expect};
use std::collections::BTreeMap;
use workload::NodeFacts;

const GROUP: &str = "123456789012/us-east-1/default/family:web";

/// Rows of one instance.
#[derive(Debug)]
struct Host {
    node: Node,
    ledger: Ledger,
    groups: BTreeMap<String, u32>,
}

impl Host {
    fn candidate(&self) -> Candidate<'_> {
        Candidate { node: &self.node, ledger: &self.ledger, groups: &self.groups, instance: None, running_tasks: 0 }
    }
}

/// `zone=a cpu=1024 memory=1024 used-cpu=512 used-memory=0 group=2`
fn host(text: &str) -> Host {
    let node = Node { connected: true, ..Node::default() };
    let mut host = Host { node, ledger: Ledger::default(), groups: BTreeMap::new() };
    let facts = &mut host.node.facts;
    (facts.cpu_units, facts.memory_mib) = (1024, 1024);
    for (name, value) in text.split_whitespace().filter_map(|pair| pair.split_once('=')) {
        let number = || value.parse().expect("a number");
        match name {
            "cpu" => facts.cpu_units = number(),
            "memory" => facts.memory_mib = u64::from(number()),
            "used-cpu" => host.ledger.cpu_units = number(),
            "used-memory" => host.ledger.memory_mib = u64::from(number()),
            "group" => drop(host.groups.insert(GROUP.into(), number())),
            "port" => drop(host.ledger.ports_tcp.insert(number() as u16)),
            _ => drop(facts.attributes.insert(name.into(), Some(value.into()))),
        }
    }
    host
}

fn strategies(text: &str) -> Vec<Strategy> {
    let strategy = |word: &str| match word {
        "random" => Strategy::Random,
        "spread:instanceId" => Strategy::Spread(Field::Instance),
        "binpack:cpu" => Strategy::Binpack(Resource::Cpu),
        "binpack:memory" => Strategy::Binpack(Resource::Memory),
        attribute => Strategy::Spread(Field::Attribute(attribute.trim_start_matches("spread:").into())),
    };
    text.split_whitespace().map(strategy).collect()
}

fn request(count: usize, strategy: &str) -> Request {
    let claim = Claim { cpu_units: 256, memory_mib: 256, ..Claim::default() };
    Request { claim, strategies: strategies(strategy), group_key: GROUP.into(), count, ..Request::default() }
}

/// How many tasks each instance got, and why no more if some are missing.
fn check(strategy: &str, count: usize, hosts: &[&str], expected: Expect) {
    let hosts: Vec<Host> = hosts.iter().map(|text| host(text)).collect();
    let candidates: Vec<Candidate> = hosts.iter().map(Host::candidate).collect();
    let placement = place(&request(count, strategy), &candidates, &mut Rng::from_seed(1));
    let mut counts = vec![0; hosts.len()];
    placement.chosen.iter().for_each(|index| counts[*index] += 1);
    let reasons: Vec<&str> = placement.rejected.iter().map(|(_, reason)| reason.as_str()).collect();
    expected.assert_eq(format!("{counts:?} {}", reasons.join(",")).trim_end());
}

#[test]
fn spread_evens_out_what_is_there_already() {
    check("spread:zone", 4, &["zone=a", "zone=b"], expect!["[2, 2]"]);
    check("spread:zone", 3, &["zone=a group=2", "zone=b", "zone=c group=1"], expect!["[0, 2, 1]"]);
    check("spread:instanceId", 4, &["", "", "group=3"], expect!["[2, 2, 0]"]);
    check("spread:zone spread:instanceId", 6, &["zone=a", "zone=a", "zone=a", "zone=b"], expect!["[1, 1, 1, 3]"]);
}

#[test]
fn spread_counts_a_full_instance_too() {
    check("spread:zone", 2, &["zone=a used-cpu=1024 group=4", "zone=a", "zone=b"], expect!["[0, 0, 2]"]);
}

#[test]
fn an_instance_without_the_attribute_is_a_value_of_its_own() {
    check("spread:zone spread:instanceId", 4, &["zone=a", "", ""], expect!["[2, 1, 1]"]);
}

#[test]
fn binpack_fills_the_fullest_first() {
    check("binpack:memory", 3, &["", "used-memory=512", "used-memory=256"], expect!["[0, 2, 1]"]);
    check("binpack:cpu", 2, &["cpu=512", "cpu=1024"], expect!["[2, 0]"]);
}

#[test]
fn a_later_strategy_decides_among_equals() {
    check("spread:zone binpack:memory", 2, &["zone=a", "zone=a used-memory=512", "zone=b"], expect!["[0, 1, 1]"]);
    check("binpack:cpu spread:zone", 2, &["zone=a group=1", "zone=b", "zone=b cpu=4096"], expect!["[0, 2, 0]"]);
}

#[test]
fn who_is_not_placed_is_told_of_every_instance() {
    let hosts = ["used-cpu=1000", "used-memory=1000", "", "port=1"];
    check("", 9, &hosts, expect!["[0, 0, 4, 4] RESOURCE:CPU,RESOURCE:MEMORY,RESOURCE:CPU,RESOURCE:CPU"]);
    check("binpack:cpu", 9, &hosts, expect!["[0, 0, 4, 4] RESOURCE:CPU,RESOURCE:MEMORY,RESOURCE:CPU,RESOURCE:CPU"]);
}

/// The definition: what ranks first among all that fit, looking at everything anew.
fn naive_ranks(request: &Request, candidates: &[Candidate], placed: &[u32]) -> BTreeMap<usize, Vec<u64>> {
    let fits = |index: &usize| fit::check(request, &candidates[*index], placed[*index]).is_ok();
    (0..candidates.len()).filter(fits).map(|index| (index, naive_rank(request, candidates, placed, index))).collect()
}

fn naive_rank(request: &Request, candidates: &[Candidate], placed: &[u32], index: usize) -> Vec<u64> {
    let tasks = |i: usize| u64::from(candidates[i].group_tasks(request) + placed[i]);
    let mut same: Vec<usize> = (0..candidates.len()).collect();
    let mut rank = Vec::new();
    for strategy in request.strategies.iter().take_while(|strategy| **strategy != Strategy::Random) {
        let (facts, ledger) = (&candidates[index].node.facts, candidates[index].ledger);
        let times = u64::from(placed[index]) + 1;
        rank.push(match strategy {
            Strategy::Spread(Field::Attribute(name)) => {
                same.retain(|i| candidates[*i].attribute(name) == candidates[index].attribute(name));
                same.iter().map(|i| tasks(*i)).sum()
            }
            Strategy::Binpack(Resource::Cpu) => {
                u64::from(facts.cpu_units) - u64::from(ledger.cpu_units) - u64::from(request.claim.cpu_units) * times
            }
            Strategy::Binpack(Resource::Memory) => facts.memory_mib - ledger.memory_mib - request.claim.memory_mib * times,
            _ => tasks(index),
        });
    }
    rank
}

/// Every choice is one that the definition allows, and nothing is left unplaced that it would place.
fn assert_as_defined(request: &Request, candidates: &[Candidate], placement: &Placement) {
    let mut placed = vec![0u32; candidates.len()];
    for chosen in &placement.chosen {
        let ranks = naive_ranks(request, candidates, &placed);
        let rank = ranks.get(chosen).expect("what is chosen fits");
        assert_eq!(Some(rank), ranks.values().min(), "{chosen} of {ranks:?}");
        placed[*chosen] += 1;
    }
    if placement.chosen.len() < request.count {
        let reasons: Vec<_> = (0..candidates.len())
            .map(|index| (index, fit::check(request, &candidates[index], placed[index]).expect_err("nothing fits any more")))
            .collect();
        assert_eq!(placement.rejected, reasons);
    }
}

fn any_host(rng: &mut Rng) -> Host {
    let mut host = host("");
    host.node.connected = !rng.chance(5);
    let facts: &mut NodeFacts = &mut host.node.facts;
    facts.cpu_units = 256 * (1 + rng.below(8) as u32);
    facts.memory_mib = 256 * (1 + rng.below(8));
    for name in ["zone", "rack"] {
        if rng.chance(85) {
            facts.attributes.insert(name.into(), rng.pick(&["a", "b", "c"]).map(|value| value.to_string()));
        }
    }
    host.ledger.cpu_units = 128 * rng.below(u64::from(facts.cpu_units) / 128 + 1) as u32;
    host.ledger.memory_mib = 128 * rng.below(facts.memory_mib / 128 + 1);
    if rng.chance(40) {
        host.groups.insert(GROUP.into(), 1 + rng.below(3) as u32);
    }
    if rng.chance(20) {
        host.groups.insert(GROUP.replace("web", "db"), 1);
        host.ledger.ports_tcp.insert(80);
    }
    host
}

fn any_request(rng: &mut Rng) -> Request {
    let words = ["spread:zone", "spread:rack", "spread:instanceId", "binpack:cpu", "binpack:memory", "random"];
    let strategy: Vec<&str> = (0..rng.below(5)).filter_map(|_| rng.pick(&words).copied()).collect();
    let mut request = request(1 + rng.below(30) as usize, &strategy.join(" "));
    request.claim.cpu_units = 64 * rng.below(5) as u32;
    request.claim.memory_mib = 64 * (1 + rng.below(5));
    if rng.chance(15) {
        request.claim.ports_tcp = vec![80];
    }
    if rng.chance(15) {
        request.rules.push(Rule::DistinctInstance);
    }
    for expression in ["not(task:group == family:db)", "task:group == family:web", "attribute:zone in [a, b]"] {
        if rng.chance(10) {
            request.rules.push(Rule::MemberOf(constraint::parse(expression).unwrap()));
        }
    }
    request
}

#[test]
fn a_batch_is_placed_as_if_one_by_one() {
    for seed in 0..3000 {
        let mut rng = Rng::from_seed(seed);
        let hosts: Vec<Host> = (0..rng.below(12)).map(|_| any_host(&mut rng)).collect();
        let candidates: Vec<Candidate> = hosts.iter().map(Host::candidate).collect();
        let request = any_request(&mut rng);
        let placement = place(&request, &candidates, &mut rng);
        assert_as_defined(&request, &candidates, &placement);
    }
}

#[test]
fn without_a_strategy_everybody_gets_a_turn() {
    let hosts: Vec<Host> = (0..8).map(|_| host("cpu=102400 memory=102400")).collect();
    let candidates: Vec<Candidate> = hosts.iter().map(Host::candidate).collect();
    let placement = place(&request(200, ""), &candidates, &mut Rng::from_seed(3));
    assert!((0..8).all(|index| placement.chosen.iter().filter(|chosen| **chosen == index).count() > 8));
}
