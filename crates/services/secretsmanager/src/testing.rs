//! A plane without a thread or a clock, for tests: operations by name with JSON bodies, at a time that the test sets.

use base::{Rng, Scope, Time};
use kernel::core::{self, Core};
use kernel::plane::Who;
use kernel::service::Prepared;
use kernel::{Caller, Services};

use serde_json::Value;
use std::sync::Arc;
use store::backend::mem::Mem;

pub struct Plane {
    core: Core,
    pub now: Time,
}

impl Plane {
    pub fn new() -> Plane {
        let services = Arc::new(Services::new(vec![crate::service(&seal::Key::new(&[7; seal::KEY_BYTES]))]));
        let core = Core::open(services, Box::new(Mem::new()), Rng::from_seed(7)).expect("memory can be read");
        Plane { core, now: Time(1_700_000_000_000) }
    }

    /// The answer as JSON text, or `Code: message`.
    pub fn call(&mut self, operation: &str, body: Value) -> String {
        self.answer(operation, body).map_or_else(|error| error.to_string(), |answer| answer.to_string())
    }

    pub fn ok(&mut self, operation: &str, body: Value) -> Value {
        self.answer(operation, body.clone()).unwrap_or_else(|error| panic!("{operation} {body}: {error}"))
    }

    /// All that is kept, as it is kept.
    pub fn dump(&self) -> String {
        self.core.image().scan::<crate::secret::Secret>().map(|row| serde_json::to_string(row).expect("rows are JSON")).collect()
    }

    /// What the rows lead to by now.
    pub fn look(&mut self) {
        self.core.run(self.now, Vec::new()).2.expect("memory takes all");
    }

    pub fn with<T>(&self, look: impl FnOnce(&seal::Key, &store::Image) -> T) -> T {
        look(&seal::Key::new(&[7; seal::KEY_BYTES]), self.core.image())
    }

    fn answer(&mut self, operation: &str, body: Value) -> Result<Value, wire::Error> {
        let services = Arc::clone(self.core.services());
        let service = services.iter().next().expect("there is one service");
        let encode = match service.prepare(operation, body.to_string().as_bytes())? {
            Prepared::Read(run) => run(&mut who().call(self.now, Rng::from_seed(0)), self.core.image())?,
            Prepared::Write(run) => {
                let (sender, receiver) = std::sync::mpsc::channel();
                let answer = move |result| sender.send(result).expect("the test waits");
                let (_, settles, kept) = self.core.run(self.now, vec![core::transaction(who(), run, answer)]);
                settles.into_iter().for_each(|settle| settle(&kept));
                receiver.recv().expect("the work is settled")?
            }
            Prepared::Data(_) | Prepared::Stream(_) => unreachable!("everything is in rows"),
        };
        let bytes = encode()?;
        Ok(if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).expect("answers are JSON") })
    }
}

fn who() -> Who {
    Who { scope: Scope::new("123456789012", "us-east-1"), caller: Caller::default(), request_id: String::new() }
}
