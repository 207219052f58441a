//! Random lives: whatever clients ask and nodes say, in whatever order, states go forward, nothing that is STOPPED moves, and
//! the ledgers are right (which the harness asks after every group).

use crate::state_events::{self, Kind};
use crate::task::{History, Last, Task};
use crate::testing::{Plane, facts, status};
use base::Rng;
use base::limits::TASK_HISTORY_RETENTION_SECONDS;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use workload::{Desired, StopCause, TaskPhase, TaskStatus};

const NODES: [&str; 2] = ["n1", "n2"];
const PHASES: [TaskPhase; 5] =
    [TaskPhase::Pending, TaskPhase::Activating, TaskPhase::Running, TaskPhase::Stopping, TaskPhase::Stopped];

fn plane() -> Plane {
    let mut plane = Plane::new();
    NODES.iter().for_each(|node| plane.join(facts(node)));
    let container =
        |ports: serde_json::Value| json!([{ "name": "a", "image": "b", "cpu": 300, "memory": 300, "portMappings": ports }]);
    plane.define("job", json!({ "containerDefinitions": container(json!([])) }));
    let port = json!([{ "containerPort": 80, "hostPort": 80 }, { "containerPort": 80, "hostPort": 53, "protocol": "udp" }]);
    plane.define("web", json!({ "containerDefinitions": container(port) }));
    plane
}

fn tasks(plane: &Plane) -> BTreeMap<String, Task> {
    plane.core.image().scan::<Task>().map(|task| (task.id.clone(), task.clone())).collect()
}

fn live(plane: &mut Plane, rng: &mut Rng) {
    let node = *rng.pick(&NODES).unwrap();
    let seed = rng.next_u64();
    match rng.below(13) {
        0..=2 => {
            let family = rng.pick(&["job", "web"]).unwrap();
            let group = rng.pick(&["g", "h"]).unwrap();
            plane.ok("RunTask", json!({ "taskDefinition": family, "count": 1 + rng.below(3), "group": group }));
        }
        3 => {
            let ids: Vec<String> = tasks(plane).into_keys().collect();
            if let Some(id) = rng.pick(&ids) {
                plane.ok("StopTask", json!({ "task": id }));
            }
        }
        4 => plane.pass(Duration::from_secs(rng.below(4000))),
        5 => plane.leave(node),
        6 => plane.join(facts(node)),
        7 => plane.restart(),
        8 => plane.die(node),
        _ => drop(plane.report(node, |spec| anything(spec, seed))),
    }
}

/// Half of the tasks, each in any phase, for any reason.
fn anything(spec: &workload::TaskSpec, seed: u64) -> Option<TaskStatus> {
    let salt = spec.id.bytes().fold(seed, |salt, byte| salt.rotate_left(5) ^ u64::from(byte));
    let mut rng = Rng::from_seed(salt);
    if rng.chance(20) {
        return None;
    }
    let causes =
        [None, Some(StopCause::Asked), Some(StopCause::EssentialContainerExited), Some(StopCause::FailedToStart("x".into()))];
    Some(TaskStatus { cause: rng.pick(&causes)?.clone(), ..status(spec, *rng.pick(&PHASES)?) })
}

fn assert_forward(before: &BTreeMap<String, Task>, after: &BTreeMap<String, Task>) {
    for (id, was) in before {
        let Some(is) = after.get(id) else {
            assert!(was.is_stopped(), "{id} is forgotten only when it was STOPPED");
            continue;
        };
        assert!(is.last >= was.last && is.version >= was.version && is.desired >= was.desired, "{was:?} then {is:?}");
        assert!(!was.is_stopped() || is.version == was.version, "{was:?} then {is:?}");
        assert!(was.stop_code.is_none() || was.stop_code == is.stop_code, "{was:?} then {is:?}");
    }
    for task in after.values().filter(|task| task.is_stopped()) {
        assert!(task.desired == Desired::Stopped && task.stopped_at.is_some() && task.stopping_at.is_some(), "{task:?}");
    }
}

#[test]
fn states_only_go_forward_and_ledgers_are_right() {
    let mut ends = 0;
    for seed in 0..40 {
        let (mut plane, mut rng) = (plane(), Rng::from_seed(seed));
        let mut before = BTreeMap::new();
        for _ in 0..60 {
            live(&mut plane, &mut rng);
            let after = tasks(&plane);
            assert_forward(&before, &after);
            ends += after.values().filter(|task| task.last == Last::Stopped).count();
            before = after;
        }
    }
    assert!(ends > 100, "lives end: {ends}");
}

/// `(version, lastStatus)` of each event of each task, as they stand in the outbox.
fn told(plane: &Plane) -> BTreeMap<String, Vec<(i64, String)>> {
    let mut told: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for event in state_events::after(plane.core.image(), 0).filter(|event| event.kind == Kind::Task) {
        let detail: serde_json::Value = serde_json::from_str(event.detail.get()).unwrap();
        let last_status = detail["lastStatus"].as_str().unwrap().to_owned();
        told.entry(event.resource.clone()).or_default().push((detail["version"].as_i64().unwrap(), last_status));
    }
    told
}

#[test]
fn every_version_of_a_task_is_told_once_and_in_order() {
    let mut count = 0;
    for seed in 100..140 {
        let (mut plane, mut rng) = (plane(), Rng::from_seed(seed));
        let mut tasks_seen = BTreeMap::new();
        for _ in 0..60 {
            live(&mut plane, &mut rng);
            tasks_seen.extend(tasks(&plane));
        }
        let mut told = told(&plane);
        for task in tasks_seen.values() {
            let events = told.remove(&task.arn()).expect("each task is told of");
            let versions: Vec<i64> = events.iter().map(|(version, _)| *version).collect();
            assert_eq!(versions, (1..=task.version).collect::<Vec<_>>(), "{}", task.id);
            assert_eq!(events.last().unwrap().1, task.last.as_str(), "{}", task.id);
            count += events.len();
        }
        assert_eq!(told, BTreeMap::new(), "nothing is told of others");
    }
    assert!(count > 500, "there was something to tell: {count}");
}

#[test]
fn in_the_end_nothing_is_left() {
    for seed in 0..20 {
        let (mut plane, mut rng) = (plane(), Rng::from_seed(seed));
        (0..60).for_each(|_| live(&mut plane, &mut rng));
        let ids: Vec<String> = tasks(&plane).into_keys().collect();
        ids.iter().for_each(|id| drop(plane.ok("StopTask", json!({ "task": id }))));
        for node in NODES {
            plane.join(facts(node));
            plane.report(node, |spec| Some(status(spec, TaskPhase::Stopped)));
        }
        assert!(tasks(&plane).values().all(Task::is_stopped));
        plane.pass(Duration::from_secs(24 * 3600));
        assert_eq!(plane.core.image().len::<Task>(), 0);
        plane.pass(Duration::from_secs(TASK_HISTORY_RETENTION_SECONDS));
        assert_eq!(plane.core.image().len::<History>(), 0);
        assert!(plane.core.image().scan::<crate::node::Ledger>().all(|ledger| ledger.tasks == 0));
        assert_eq!(plane.core.next_wake(), None);
    }
}
