//! The kernel over a toy service: a counter whose reconciler rounds odd numbers up and forgets old ones.

use base::{Clock, Rng, Scope, Time};
use bytes::Bytes;
use kernel::core::{Outcome, transaction};
use kernel::plane::Who;
use kernel::service::Prepared;
use kernel::{Call, Caller, Core, Plan, Plane, Reconciler, Service, Services, Word, Workloads};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::backend::mem::Mem;
use store::{Change, Image, Key, Record, Tx};
use wire::model::{Model, OperationModel};
use wire::{Operation, Protocol};
use workload::{NodeFacts, Report};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Counter {
    name: String,
    value: u64,
    at: Time,
}

impl Record for Counter {
    const TABLE: &'static str = "toy/counter";
    fn key(&self) -> Key {
        Key::new(self.name.as_str())
    }
}

struct Even;

impl Reconciler for Even {
    const NAME: &'static str = "toy/even";
    type Action = &'static str;
    fn keys(image: &Image) -> Vec<Key> {
        image.scan::<Counter>().map(Counter::key).collect()
    }
    fn concerns(_: &Image, change: &Change) -> Vec<Key> {
        vec![change.key.clone()]
    }
    fn decide(image: &Image, key: &Key, now: Time) -> Plan<&'static str> {
        let Some(counter) = image.get::<Counter>(key.as_str()) else { return Plan::rest() };
        let forget_at = counter.at + Duration::from_secs(60);
        match counter.value % 2 {
            _ if now >= forget_at => Plan::act(vec!["forget"]),
            1 => Plan::act(vec!["round up"]),
            _ => Plan::wait(forget_at),
        }
    }
    fn apply(_: &mut Call, tx: &mut Tx, key: &Key, action: &'static str) {
        match action {
            "forget" => drop(tx.delete::<Counter>(key.as_str())),
            _ => drop(tx.update::<Counter>(key.as_str(), |counter| counter.value += 1)),
        }
    }
}

#[derive(Deserialize)]
struct Add {
    name: String,
    by: u64,
}

struct AddOperation;

impl Operation for AddOperation {
    const NAME: &'static str = "Add";
    type Input = Add;
    type Output = u64;
}

fn add(call: &mut Call, tx: &mut Tx, input: Add) -> Result<u64, wire::Error> {
    let before = tx.get::<Counter>(&input.name).map_or(0, |counter| counter.value);
    tx.put(Counter { name: input.name, value: before + input.by, at: call.now });
    match input.by {
        13 => Err(wire::Error::sender("Unlucky", "no thirteen")),
        99 => panic!("a bug of the handler"),
        _ => Ok(before + input.by),
    }
}

static OPERATIONS: [OperationModel; 2] = [modelled("Add"), modelled("Subtract")];
static MODEL: Model = Model {
    service_id: "Toy",
    api_version: "1",
    endpoint_prefix: "toy",
    signing_name: "toy",
    target_prefix: Some("Toy"),
    protocol: Protocol::AwsJson11,
    xml_namespace: None,
    constraint_error: "Invalid",
    operations: &OPERATIONS,
};

const fn modelled(name: &'static str) -> OperationModel {
    OperationModel {
        name,
        method: "POST",
        uri: "/",
        input: None,
        output: None,
        errors: &["ClientException"],
        paginator: None,
        result_wrapper: None,
    }
}

/// A node is a counter, too: 100 while it is connected, else 200, and 300 when it has reported.
const NODES: Workloads = Workloads {
    given: |_, _| None,
    assigned: |_, _| Vec::new(),
    compile: |_, _| None,
    connected: |image| image.scan::<Counter>().filter(|one| one.value == 100).map(|one| one.name.clone()).collect(),
    joined: |call, tx, facts| tx.put(Counter { name: facts.id.clone(), value: 100, at: call.now }),
    left: |call, tx, node| tx.put(Counter { name: node.clone(), value: 200, at: call.now }),
    gone: |call, tx, node| tx.put(Counter { name: node.clone(), value: 400, at: call.now }),
    report: |call, tx, node, _| tx.put(Counter { name: node.clone(), value: 300, at: call.now }),
};

fn services() -> Arc<Services> {
    Arc::new(Services::new(vec![
        Service::new(&MODEL).on::<AddOperation, wire::Error>(add).reconcile::<Even>().table::<Counter>().workloads(NODES),
    ]))
}

fn open(disk: &Mem) -> Core {
    Core::open(services(), Box::new(disk.clone()), Rng::from_seed(1)).unwrap()
}

type Answers = Arc<Mutex<Vec<String>>>;

/// Runs `adds` as one group and shows the answers, in order.
fn group(core: &mut Core, now: u64, adds: &[(&str, u64)]) -> (Outcome, Vec<String>) {
    let answers: Answers = Arc::default();
    let works = adds.iter().map(|(name, by)| {
        let body = format!(r#"{{"name":"{name}","by":{by}}}"#);
        let Ok(Prepared::Write(run)) = services().iter().next().unwrap().prepare("Add", body.as_bytes()) else {
            panic!("a write")
        };
        let answers = Arc::clone(&answers);
        let who = Who { scope: Scope::new("1", "r"), caller: Caller::default(), request_id: String::new() };
        transaction(who, run, move |result| answers.lock().unwrap().push(shown(result.and_then(|encode| encode()))))
    });
    let works: Vec<_> = works.collect();
    let (outcome, settles, kept) = core.run(Time(now), works);
    settles.into_iter().for_each(|settle| settle(&kept));
    let said = answers.lock().unwrap().clone();
    (outcome, said)
}

fn shown(result: Result<Bytes, wire::Error>) -> String {
    result.map_or_else(|error| error.code, |body| String::from_utf8(body.to_vec()).unwrap())
}

fn values(image: &Image) -> String {
    image.scan::<Counter>().map(|counter| format!("{}={} ", counter.name, counter.value)).collect()
}

#[test]
fn what_fails_in_a_group_leaves_the_rest_standing() {
    let mut core = open(&Mem::new());
    let (_, said) = group(&mut core, 0, &[("a", 2), ("a", 13), ("b", 99), ("a", 4)]);
    assert_eq!(said, ["2", "Unlucky", "ServerException", "6"]);
    assert_eq!(values(core.image()), "a=6 ");
}

#[test]
fn a_decision_is_part_of_the_group_that_caused_it() {
    let mut core = open(&Mem::new());
    let before = core.image().revision();
    group(&mut core, 0, &[("a", 3)]);
    assert_eq!((values(core.image()).as_str(), core.image().revision()), ("a=4 ", before + 1));
}

#[test]
fn a_group_that_is_not_kept_is_answered_so_and_leaves_nothing() {
    let disk = Mem::new();
    let mut core = open(&disk);
    group(&mut core, 0, &[("a", 2)]);
    disk.fail_next();
    let (outcome, said) = group(&mut core, 1, &[("a", 2), ("b", 1)]);
    assert_eq!((said, outcome.changes.len()), (vec!["ServerException".into(), "ServerException".into()], 0));
    assert_eq!(values(core.image()), "a=2 ");
    assert_eq!(group(&mut core, 2, &[("b", 1)]).1, ["1"]);
    assert_eq!(values(core.image()), "a=2 b=2 ");
}

#[test]
fn a_full_disk_is_tried_again_in_a_while_and_not_in_circles() {
    let disk = Mem::new();
    group(&mut open(&disk), 0, &[("a", 2)]);
    let mut core = open(&disk);
    disk.fail_next();
    group(&mut core, 60_000, &[]);
    assert_eq!((values(core.image()).as_str(), core.next_wake()), ("a=2 ", Some(Time(61_000))));
    group(&mut core, 61_000, &[]);
    assert_eq!((values(core.image()).as_str(), core.next_wake()), ("", None));
}

#[test]
fn what_a_node_says_is_not_lost_with_the_group_it_came_in() {
    let disk = Mem::new();
    let mut core = open(&disk);
    for words in
        [vec![Word::Joined(NodeFacts { id: "n".into(), ..NodeFacts::default() })], vec![], vec![Word::Report(Report::default())]]
    {
        words.into_iter().for_each(|word| core.hear("n".into(), word));
        disk.fail_next();
        let (outcome, _) = group(&mut core, 0, &[]);
        assert_eq!((outcome.changes.len(), core.next_wake()), (0, Some(Time(1_000))));
    }
    group(&mut core, 1_000, &[]);
    assert_eq!(values(core.image()), "n=300 ");
}

#[test]
fn a_nodes_end_is_not_lost_with_the_group_it_came_in_nor_by_its_coming_back() {
    let disk = Mem::new();
    let mut core = open(&disk);
    core.hear("n".into(), Word::Gone);
    disk.fail_next();
    group(&mut core, 0, &[]);
    core.hear("n".into(), Word::Joined(NodeFacts { id: "n".into(), ..NodeFacts::default() }));
    disk.fail_next();
    group(&mut core, 1_000, &[]);
    assert_eq!((group(&mut core, 2_000, &[]).0.changes.len(), values(core.image())), (1, "n=100 ".into()));
    core.hear("n".into(), Word::Gone);
    group(&mut core, 3_000, &[]);
    assert_eq!(values(core.image()), "n=400 ");
}

#[test]
fn who_says_hello_is_told_its_set_even_if_nothing_can_be_kept() {
    let disk = Mem::new();
    let mut core = open(&disk);
    core.hear("n".into(), Word::Joined(NodeFacts { id: "n".into(), ..NodeFacts::default() }));
    disk.fail_next();
    assert_eq!(group(&mut core, 0, &[]).0.assigns.len(), 1);
    assert_eq!(group(&mut core, 1_000, &[]).0.assigns.len(), 0);
}

/// Rows still give it what ended with it, and it would begin that again.
#[test]
fn who_comes_back_is_told_its_set_once_its_end_is_kept() {
    let disk = Mem::new();
    let mut core = open(&disk);
    core.hear("n".into(), Word::Gone);
    core.hear("n".into(), Word::Joined(NodeFacts { id: "n".into(), ..NodeFacts::default() }));
    core.hear("m".into(), Word::Joined(NodeFacts { id: "m".into(), ..NodeFacts::default() }));
    let told = |core: &mut Core, now| {
        let (outcome, _) = group(core, now, &[]);
        outcome.assigns.into_iter().map(|(node, _)| node).collect::<Vec<_>>()
    };
    disk.fail_next();
    assert_eq!(told(&mut core, 0), ["m"]);
    disk.fail_next();
    assert!(told(&mut core, 1_000).is_empty());
    assert_eq!(told(&mut core, 2_000), ["n"]);
    assert!(told(&mut core, 3_000).is_empty());
}

#[test]
fn nobody_is_connected_to_a_plane_that_has_just_started() {
    let disk = Mem::new();
    let mut core = open(&disk);
    core.hear("n".into(), Word::Joined(NodeFacts { id: "n".into(), ..NodeFacts::default() }));
    group(&mut core, 0, &[]);
    assert_eq!(values(core.image()), "n=100 ");
    let mut core = open(&disk);
    group(&mut core, 0, &[]);
    assert_eq!(values(core.image()), "n=200 ");
}

#[test]
fn time_alone_brings_a_decision_also_after_a_restart() {
    let disk = Mem::new();
    group(&mut open(&disk), 0, &[("a", 2)]);
    let mut core = open(&disk);
    assert_eq!(core.next_wake(), Some(Time::ZERO), "after a restart everything is looked at");
    group(&mut core, 1_000, &[]);
    assert_eq!((values(core.image()).as_str(), core.next_wake()), ("a=2 ", Some(Time(60_000))));
    group(&mut core, 60_000, &[]);
    assert_eq!((values(core.image()).as_str(), core.next_wake()), ("", None));
}

#[test]
fn what_the_model_has_and_the_table_has_not_is_a_modelled_error() {
    let services = services();
    let error = |name: &str| services.iter().next().unwrap().prepare(name, b"{}").err().unwrap().code;
    assert_eq!((error("Subtract").as_str(), error("Divide").as_str()), ("ClientException", "UnknownOperationException"));
}

/// A clock that the test moves.
struct Hand(AtomicU64);

impl Clock for Hand {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::SeqCst))
    }
}

#[tokio::test]
async fn who_is_answered_reads_what_was_written() {
    let clock = Arc::new(Hand(AtomicU64::new(5)));
    let (plane, writer) = Plane::start(services(), Box::new(Mem::new()), clock, Rng::from_seed(1)).unwrap();
    let mut feed = plane.feed();
    for value in [2, 4, 6] {
        let who = Who { scope: Scope::new("1", "r"), caller: Caller::default(), request_id: String::new() };
        let answer = plane.call(&MODEL, "Add", who, br#"{"name":"a","by":2}"#).await;
        assert_eq!(shown(answer), value.to_string());
        assert_eq!(values(&plane.image()), format!("a={value} "));
        assert_eq!(feed.recv().await.unwrap().len(), 1);
    }
    plane.reset().await.unwrap();
    assert_eq!(values(&plane.image()), "");
    plane.stop();
    writer.join().unwrap();
}
