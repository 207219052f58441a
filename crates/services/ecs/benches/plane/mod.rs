//! What the benchmarks that go through the real writer share: a plane over simulated nodes without a thread or a clock, and
//! operations as pieces of its work.

use base::{Rng, Scope, Time};
use kernel::core::{self, Core, Outcome, Work};
use kernel::plane::Who;
use kernel::service::Prepared;
use kernel::{Call, Caller, Services};
use std::sync::Arc;
use store::Backend;
use workload::NodeFacts;

pub const NOW: Time = Time(1_700_000_000_000);

pub fn scope() -> Scope {
    Scope::new("123456789012", "us-east-1")
}

/// All nodes are connected, but nobody is there to be sent what they are to run; and there is a task definition `job`.
pub fn plane(backend: Box<dyn Backend>, nodes: usize) -> Core {
    let services = Arc::new(Services::new(vec![ecs::service()]));
    let mut core = Core::open(services, backend, Rng::from_seed(1)).expect("rows can be read");
    let joining: Vec<Work> = (0..nodes).map(|index| joins(facts(index))).collect();
    run(&mut core, NOW, joining);
    let definition = r#"{"family":"job","containerDefinitions":[{"name":"app","image":"app","cpu":1,"memory":4}]}"#;
    let work = call(&core, "RegisterTaskDefinition", definition);
    run(&mut core, NOW, vec![work]);
    core
}

fn joins(facts: NodeFacts) -> Work {
    Box::new(move |turn| {
        ecs::node::joined(&mut Call::internal(turn.now, turn.rng.fork()), turn.tx, &facts);
        Box::new(|_| ())
    })
}

pub fn facts(index: usize) -> NodeFacts {
    NodeFacts {
        id: format!("i-{index:017}"),
        account: scope().account,
        region: scope().region,
        cpu_units: 4096,
        memory_mib: 8192,
        availability_zone: ["us-east-1a", "us-east-1b", "us-east-1c"][index % 3].into(),
        ..NodeFacts::default()
    }
}

pub fn call(core: &Core, operation: &str, body: &str) -> Work {
    let service = core.services().iter().next().expect("there is one service");
    let Ok(Prepared::Write(run)) = service.prepare(operation, body.as_bytes()) else { panic!("{operation} writes") };
    let who = Who { scope: scope(), caller: Caller::default(), request_id: String::new() };
    core::transaction(who, run, |answer| {
        let encoded = answer.and_then(|encode| encode()).expect("it is answered");
        assert!(!encoded.is_empty());
    })
}

/// One group.
pub fn run(core: &mut Core, now: Time, works: Vec<Work>) -> Outcome {
    let (outcome, settles, kept) = core.run(now, works);
    kept.as_ref().expect("it is kept");
    settles.into_iter().for_each(|settle| settle(&kept));
    outcome
}
