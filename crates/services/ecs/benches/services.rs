//! What the service scheduler costs: a decision about a service of a thousand tasks on a hundred nodes, a whole rollout of it
//! through the real writer, and five thousand services at rest. `cargo bench -p ecs --bench services`.

mod plane;

use base::Time;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ecs::service::{Rollout, Scheduler, Service};
use ecs::task::Task;
use kernel::core::{Core, Work};
use kernel::{Reconciler, Word};
use plane::{NOW, call, run};
use std::collections::BTreeMap;
use std::time::Duration;
use store::backend::mem::Mem;
use store::{Change, Image, Key, Record};
use workload::{Assign, ContainerPhase, ContainerStatus, Desired, NodeId, Report, TaskPhase, TaskSpec, TaskStatus};

const TASKS: usize = 1000;
const NODES: usize = 100;
const SERVICES_AT_REST: usize = 5000;

/// A plane with honest nodes: each reports, in a group of its own, that all it was sent is as it is to be.
struct World {
    core: Core,
    now: Time,
    unanswered: BTreeMap<NodeId, Assign>,
}

impl World {
    fn new() -> World {
        let core = plane::plane(Box::new(Mem::new()), NODES);
        let mut world = World { core, now: NOW, unanswered: BTreeMap::new() };
        (0..NODES).map(plane::facts).for_each(|facts| world.core.hear(facts.id.clone(), Word::Joined(facts)));
        world.group(Vec::new());
        world
    }

    fn call(&mut self, operation: &str, body: &str) -> Vec<Change> {
        let work = call(&self.core, operation, body);
        self.group(vec![work])
    }

    fn group(&mut self, works: Vec<Work>) -> Vec<Change> {
        let outcome = run(&mut self.core, self.now, works);
        self.unanswered.extend(outcome.assigns);
        outcome.changes
    }

    fn report(&mut self) {
        while let Some((node, assign)) = self.unanswered.pop_first() {
            let tasks = assign.tasks.iter().map(|spec| obeyed(spec)).collect();
            self.core.hear(node, Word::Report(Report { seen: assign.generation, tasks }));
            self.group(Vec::new());
        }
    }

    /// Until all services are in a steady state.
    fn settle(&mut self) {
        self.report();
        while self.core.image().scan::<Service>().any(|service| service.steady_since.is_none()) {
            self.now = self.core.next_wake().expect("time alone makes tasks healthy").max(self.now);
            self.group(Vec::new());
            self.report();
        }
    }

    fn roll_out(mut self) -> World {
        self.call("UpdateService", r#"{"service":"s0","forceNewDeployment":true}"#);
        self.settle();
        let service = service(self.core.image());
        assert!(matches!(&service.deployments[..], [one] if one.rollout == Rollout::Completed), "it is rolled out");
        self
    }
}

fn obeyed(spec: &TaskSpec) -> TaskStatus {
    let (phase, of_container) = match spec.desired {
        Desired::Running => (TaskPhase::Running, ContainerPhase::Running),
        Desired::Stopped => (TaskPhase::Stopped, ContainerPhase::Stopped),
    };
    let container = |name: &String| ContainerStatus { name: name.clone(), phase: of_container, ..Default::default() };
    let containers = spec.containers.iter().map(|spec| container(&spec.name)).collect();
    TaskStatus { id: spec.id.clone(), phase, containers, ..Default::default() }
}

fn create(name: usize, tasks: usize) -> String {
    format!(
        r#"{{"serviceName":"s{name}","taskDefinition":"job","desiredCount":{tasks},"launchType":"EC2",
            "deploymentConfiguration":{{"minimumHealthyPercent":90,"maximumPercent":110}}}}"#
    )
}

fn service(image: &Image) -> &Service {
    image.scan().next().expect("there is one")
}

/// A service of a thousand tasks in a steady state.
fn steady() -> World {
    let mut world = World::new();
    world.call("CreateService", &create(0, TASKS));
    world.settle();
    world
}

fn decisions(c: &mut Criterion) {
    let mut group = c.benchmark_group(format!("decision-about-{TASKS}-tasks-on-{NODES}-nodes"));
    let mut world = steady();
    let mut decide = |name: &str, world: &World| {
        let (image, now) = (world.core.image(), world.now);
        let key = service(image).key();
        group.bench_function(name, |b| b.iter(|| Scheduler::decide(image, &key, now)));
    };
    decide("steady", &world);
    world.call("UpdateService", r#"{"service":"s0","forceNewDeployment":true}"#);
    decide("rollout, first tasks starting", &world);
    world.report();
    decide("rollout, first tasks running", &world);
    let lost = world.core.image().scan::<Task>().next().and_then(|task| task.node.clone()).expect("it has a place");
    world.core.hear(lost, Word::Gone);
    world.group(Vec::new());
    decide("rollout, a node lost", &world);
    world.settle();
    world.call("UpdateService", r#"{"service":"s0","desiredCount":1}"#);
    decide("scaled in", &world);
}

/// All that is written, placed and told on the way included, and what nodes are sent.
fn rollout(c: &mut Criterion) {
    let mut group = c.benchmark_group("rollout");
    group.sample_size(10).measurement_time(Duration::from_secs(20));
    group.bench_function(format!("{TASKS}-tasks-on-{NODES}-nodes"), |b| {
        b.iter_batched(steady, World::roll_out, BatchSize::PerIteration);
    });
}

/// A task that is of no service comes and goes: beside none, and beside many services.
fn at_rest(c: &mut Criterion) {
    let mut group = c.benchmark_group("task-of-no-service-comes-and-goes");
    for services in [0, SERVICES_AT_REST] {
        let mut world = World::new();
        (0..services).for_each(|name| drop(world.call("CreateService", &create(name, 1))));
        world.settle();
        assert_rest(&mut world);
        group.bench_function(format!("beside-{services}-services"), |b| b.iter(|| come_and_go(&mut world)));
    }
}

/// Every row that it wrote.
fn come_and_go(world: &mut World) -> Vec<Change> {
    let mut changes = world.call("RunTask", r#"{"taskDefinition":"job"}"#);
    let key = changes.iter().find(|change| change.table == Task::TABLE).expect("it is started").key.clone();
    world.report();
    let id = &world.core.image().get::<Task>(key.as_str()).expect("it is there").id;
    changes.extend(world.call("StopTask", &format!(r#"{{"task":"{id}"}}"#)));
    world.report();
    changes
}

/// Nobody is woken for hours, and what a task that is of no service writes concerns none.
fn assert_rest(world: &mut World) {
    let hours = Duration::from_secs(5 * 3600);
    assert!(world.core.next_wake().is_none_or(|at| at > world.now + hours), "nobody is to be woken");
    let changes = come_and_go(world);
    let concerned = changes.iter().flat_map(|change| Scheduler::concerns(world.core.image(), change));
    assert_eq!(concerned.collect::<Vec<Key>>(), []);
}

criterion_group!(benches, decisions, rollout, at_rest);
criterion_main!(benches);
