//! A plane without a thread or a clock, for tests: operations by name with JSON bodies, nodes that say what they are told to,
//! time that passes when it is told to. After every group the ledgers are held against the tasks.

use crate::node::ledger;
use crate::task_definition::TaskDefinition;
use api_ecs as api;
use base::Time;
use kernel::core::{self, Core, Work};
pub use kernel::testing::scope;
use kernel::{Call, Word, testing};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use store::Tx;
use store::backend::mem::Mem;
use workload::{Assign, ContainerPhase, ContainerStatus, NodeFacts, Report, TaskPhase, TaskSpec, TaskStatus};

pub struct Plane {
    pub core: Core,
    pub now: Time,
    /// What each node was last sent.
    pub sent: BTreeMap<String, Assign>,
    rows: Mem,
    /// Each start draws differently, or a restarted plane would give the same ids again.
    seed: u64,
}

pub fn facts(id: &str) -> NodeFacts {
    NodeFacts {
        id: id.into(),
        account: scope().account,
        region: scope().region,
        cpu_units: 2048,
        memory_mib: 4096,
        reserved_ports: vec![22],
        availability_zone: "us-east-1a".into(),
        agent_version: "1.2.3".into(),
        attributes: BTreeMap::from([("ecs.cpu-architecture".to_owned(), Some("x86_64".to_owned()))]),
        ..NodeFacts::default()
    }
}

impl Plane {
    pub fn new() -> Plane {
        let rows = Mem::new();
        Plane { core: testing::open(crate::service(), &rows, 7), now: testing::START, sent: BTreeMap::new(), rows, seed: 7 }
    }

    /// One with a node `n1` in the cluster `default`.
    pub fn with_node() -> Plane {
        let mut plane = Plane::new();
        plane.join(facts("n1"));
        plane
    }

    /// As after a crash: only rows survive.
    pub fn restart(&mut self) {
        self.seed += 1;
        self.core = testing::open(crate::service(), &self.rows, self.seed);
        self.sent.clear();
        self.group(Vec::new());
    }

    /// The answer, or `Code: message`.
    pub fn call(&mut self, operation: &str, body: Value) -> Result<Value, String> {
        let (services, image) = (Arc::clone(self.core.services()), self.core.image().clone());
        let answer = testing::answer(&services, image, self.now, (operation, &body), |work| {
            self.group(vec![work]);
        });
        answer.map_err(|error| error.to_string())
    }

    pub fn ok(&mut self, operation: &str, body: Value) -> Value {
        self.call(operation, body.clone()).unwrap_or_else(|error| panic!("{operation} {body}: {error}"))
    }

    pub fn refused(&mut self, operation: &str, body: Value) -> String {
        self.call(operation, body).expect_err("it is refused")
    }

    pub fn join(&mut self, facts: NodeFacts) {
        let id = facts.id.clone();
        self.core.hear(id, Word::Joined(facts));
        self.group(Vec::new());
    }

    pub fn leave(&mut self, node: &str) {
        self.core.hear(node.into(), Word::Left);
        self.group(Vec::new());
        self.sent.remove(node);
    }

    /// It is known to be dead.
    pub fn die(&mut self, node: &str) {
        self.core.hear(node.into(), Word::Gone);
        self.group(Vec::new());
        self.sent.remove(node);
    }

    pub fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.group(Vec::new());
    }

    /// Rows made by a hand that is not an operation's.
    pub fn write(&mut self, write: impl FnOnce(&mut Tx) + Send + 'static) {
        self.group(vec![Box::new(move |turn: &mut core::Turn<'_>| {
            write(turn.tx);
            Box::new(|_| ())
        })]);
    }

    /// As a part of the server asks for it, without a caller.
    pub fn internal(&mut self, write: impl FnOnce(&mut Call, &mut Tx) + Send + 'static) {
        self.group(vec![Box::new(move |turn: &mut core::Turn<'_>| {
            write(&mut Call::internal(turn.now, turn.rng.fork()), turn.tx);
            Box::new(|_| ())
        })]);
    }

    /// The next ACTIVE revision of the family, as registration would have made it.
    pub fn define(&mut self, family: &str, mut definition: Value) {
        let revision = crate::task_definition::revisions(self.core.image(), &scope(), family).count() as i32 + 1;
        definition["family"] = json!(family);
        definition["revision"] = json!(revision);
        definition["status"] = json!("ACTIVE");
        let definition: api::TaskDefinition = serde_json::from_value(definition).expect("a task definition");
        let tags = vec![api::Tag { key: Some("of".into()), value: Some("definition".into()) }];
        self.write(move |tx| {
            let family = definition.family.clone().unwrap_or_default();
            tx.put(TaskDefinition { scope: scope(), family, revision, definition, tags });
        });
    }

    /// The node says of every task it was sent what `say` makes of it, having seen that set.
    pub fn report(&mut self, node: &str, say: impl Fn(&TaskSpec) -> Option<TaskStatus>) -> usize {
        let assign = self.sent.get(node).cloned().unwrap_or_default();
        let tasks = assign.tasks.iter().filter_map(|spec| say(spec)).collect();
        self.core.hear(node.into(), Word::Report(Report { seen: assign.generation, tasks }));
        self.group(Vec::new())
    }

    /// How many rows changed.
    fn group(&mut self, works: Vec<Work>) -> usize {
        let outcome = testing::group(&mut self.core, self.now, works);
        self.sent.extend(outcome.assigns);
        ledger::audit(self.core.image()).expect("ledgers are the sum of their tasks");
        outcome.changes.len()
    }
}

/// All its containers in the phase that goes with the task's.
pub fn status(spec: &TaskSpec, phase: TaskPhase) -> TaskStatus {
    let container_phase = match phase {
        TaskPhase::Pending | TaskPhase::Activating => ContainerPhase::Pending,
        TaskPhase::Running | TaskPhase::Stopping => ContainerPhase::Running,
        TaskPhase::Stopped => ContainerPhase::Stopped,
    };
    let container = |name: &String| ContainerStatus { name: name.clone(), phase: container_phase, ..Default::default() };
    let containers = spec.containers.iter().map(|spec| container(&spec.name)).collect();
    TaskStatus { id: spec.id.clone(), phase, containers, ..Default::default() }
}

/// What an honest node says in the end: RUNNING if that is desired, else STOPPED.
pub fn obedient(spec: &TaskSpec) -> Option<TaskStatus> {
    Some(match spec.desired {
        workload::Desired::Running => status(spec, TaskPhase::Running),
        workload::Desired::Stopped => TaskStatus { cause: Some(workload::StopCause::Asked), ..status(spec, TaskPhase::Stopped) },
    })
}
