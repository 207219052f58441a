//! A plane of one service without a thread or a clock, for the tests of services: operations by name with JSON bodies, at
//! a time that the test sets. Only built with the feature `testing`, which only tests ask for.

use crate::core::{self, Core, Outcome, Work};
use crate::plane::Who;
use crate::service::{Answer, Prepared, Service};
use crate::{Caller, Services};
use base::{Rng, Scope, Time};
use serde::Serialize;
use serde_json::Value;
use std::any::Any;
use std::sync::Arc;
use store::backend::mem::Mem;
use store::{Image, Record};

/// When tests begin.
pub const START: Time = Time(1_700_000_000_000);

pub struct Plane {
    core: Core,
    pub now: Time,
    _beside: Box<dyn Any>,
}

/// Whose all resources of tests are.
pub fn scope() -> Scope {
    Scope::new("123456789012", "us-east-1")
}

/// A service over the rows that are in `rows`.
pub fn open(service: Service, rows: &Mem, seed: u64) -> Core {
    let services = Arc::new(Services::new(vec![service]));
    Core::open(services, Box::new(rows.clone()), Rng::from_seed(seed)).expect("memory can be read")
}

impl Plane {
    pub fn new(service: Service) -> Plane {
        Plane { core: open(service, &Mem::new(), 7), now: START, _beside: Box::new(()) }
    }

    /// With something that must live as long, as a directory.
    pub fn beside(self, beside: impl Any) -> Plane {
        Plane { _beside: Box::new(beside), ..self }
    }

    pub fn image(&self) -> &Image {
        self.core.image()
    }

    /// The answer as JSON text, or `Code: message`.
    pub fn call(&mut self, operation: &str, body: Value) -> String {
        self.answer(operation, &body).map_or_else(|error| error.to_string(), |answer| answer.to_string())
    }

    pub fn ok(&mut self, operation: &str, body: Value) -> Value {
        self.answer(operation, &body).unwrap_or_else(|error| panic!("{operation} {body}: {error}"))
    }

    /// All rows of a kind, as they are kept.
    pub fn dump<R: Record + Serialize>(&self) -> String {
        self.image().scan::<R>().map(|row| serde_json::to_string(row).expect("rows are JSON")).collect()
    }

    /// What the rows lead to by now.
    pub fn look(&mut self) {
        group(&mut self.core, self.now, Vec::new());
    }

    fn answer(&mut self, operation: &str, body: &Value) -> Result<Value, wire::Error> {
        let (services, image) = (Arc::clone(self.core.services()), self.image().clone());
        answer(&services, image, self.now, (operation, body), |work| {
            group(&mut self.core, self.now, vec![work]);
        })
    }
}

/// One group, settled.
pub fn group(core: &mut Core, now: Time, works: Vec<Work>) -> Outcome {
    let (outcome, settles, kept) = core.run(now, works);
    settles.into_iter().for_each(|settle| settle(&kept));
    kept.expect("memory keeps everything");
    outcome
}

/// What the only service answers. A write is handed to `write`, which settles it in a group.
pub fn answer(
    services: &Services,
    image: Image,
    now: Time,
    (operation, body): (&str, &Value),
    write: impl FnOnce(Work),
) -> Result<Value, wire::Error> {
    let service = services.iter().next().expect("there is one service");
    let mut call = who().call(now, Rng::from_seed(0));
    let encode = match service.prepare(operation, body.to_string().as_bytes())? {
        Prepared::Read(run) => run(&mut call, &image)?,
        Prepared::Write(run) => {
            let (sender, receiver) = std::sync::mpsc::channel::<Answer>();
            let answer = move |result| sender.send(result).expect("the test waits");
            write(core::transaction(who(), run, answer));
            receiver.recv().expect("the work is settled")?
        }
        Prepared::Data(run) => {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime of one thread");
            runtime.block_on(run(call, Arc::new(image)))?
        }
        Prepared::Stream(_) => unreachable!("tests of tails listen to real servers"),
    };
    let bytes = encode()?;
    Ok(if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).expect("answers are JSON") })
}

fn who() -> Who {
    Who { scope: scope(), caller: Caller::default(), request_id: String::new() }
}
