//! The node at work: one loop owns the engine, tells it what happens and has its effects performed. Everything it awaits is
//! an event; nothing is polled. It can be killed at any moment: memory, runtime and network hold all it needs to go on.

mod copy_up;
mod facts;
mod files;
mod hands;
mod images;
mod links;
mod memory;
pub mod outbox;
mod reasons;
#[cfg(test)]
mod tests;
mod volumes;

pub use images::Images;
pub use memory::{Error, Group};

use crate::engine::{Effect, Engine, Event, Inventory};
use base::{Clock, Rng, SystemClock, Time};
use hands::Hands;
use link::{NodeEnd, ToNode, ToPlane};
use memory::Memory;
use net::Network;
use outbox::{Outbox, Step};
use runtime::{Runtime, RuntimeEvent};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use workload::NodeFacts;

pub struct Config {
    pub data: PathBuf,
    pub account: String,
    pub region: String,
    pub cluster: Option<String>,
    pub availability_zone: String,
    /// Beside the usual ones: what this process listens on.
    pub reserved_ports: Vec<u16>,
    /// Attributes for what other parts of this node can do.
    pub capabilities: Vec<String>,
    pub runtime_version: String,
    pub clock: Arc<dyn Clock>,
    pub rng: Rng,
}

impl Config {
    pub fn new(data: &Path, account: &str, region: &str) -> Config {
        Config {
            data: data.to_owned(),
            account: account.to_owned(),
            region: region.to_owned(),
            cluster: None,
            availability_zone: format!("{region}a"),
            reserved_ports: vec![],
            capabilities: vec![],
            runtime_version: String::new(),
            clock: Arc::new(SystemClock),
            rng: Rng::from_os(),
        }
    }
}

/// A running agent. Dropping it is like killing it: containers go on, another agent takes over.
pub struct Agent {
    facts: NodeFacts,
    stop: watch::Sender<bool>,
    work: JoinHandle<()>,
    /// To be the last to hold it; a killed process needs no such thing.
    #[cfg(test)]
    memory: Arc<Memory>,
}

impl Agent {
    /// Returns when it works; the inventory is taken behind this.
    pub async fn start(
        mut config: Config,
        runtime: Arc<dyn Runtime>,
        network: Arc<dyn Network>,
        images: Arc<dyn Images>,
        link: NodeEnd,
    ) -> Result<Agent, Error> {
        let directory = config.data.join("agent");
        let fresh = config.rng.hex32();
        let (memory, node) = hands::blocking(move || {
            let memory = Memory::open(&directory)?;
            let node = memory.node(&fresh)?;
            Ok((memory, node))
        })
        .await?;
        let facts = facts::gather(&config, node);
        let volumes = volumes::Volumes::new(&config.data);
        let hands = Hands { runtime, network, images, volumes, hostname: facts::hostname() };
        let (stop, stopped) = watch::channel(false);
        let shell = Shell::new(config, hands, memory, link, stopped);
        #[cfg(test)]
        let memory = Arc::clone(&shell.memory);
        let work = tokio::spawn(shell.run(facts.clone()));
        Ok(Agent {
            facts,
            stop,
            work,
            #[cfg(test)]
            memory,
        })
    }

    pub fn facts(&self) -> &NodeFacts {
        &self.facts
    }

    /// Leaves containers running; what is on its way to disk gets there.
    pub async fn stop(mut self) {
        // Without a listener left it has stopped already.
        let _ = self.stop.send(true);
        if let Err(error) = (&mut self.work).await
            && error.is_panic()
        {
            tracing::error!("the agent had failed");
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.work.abort();
    }
}

struct Shell {
    engine: Engine,
    hands: Hands,
    memory: Arc<Memory>,
    link: NodeEnd,
    clock: Arc<dyn Clock>,
    rng: Rng,
    outbox: Outbox,
    /// Effects under way.
    doing: JoinSet<Option<Event>>,
    writing: JoinSet<()>,
    exits: UnboundedReceiver<RuntimeEvent>,
    wake_at: Option<Time>,
    last_turn_at: Time,
    stopped: watch::Receiver<bool>,
    linked: bool,
}

impl Shell {
    fn new(config: Config, hands: Hands, memory: Memory, link: NodeEnd, stopped: watch::Receiver<bool>) -> Shell {
        Shell {
            engine: Engine::new(),
            // Taken before the inventory, so that no exit falls between.
            exits: hands.runtime.events(),
            hands,
            memory: Arc::new(memory),
            link,
            clock: config.clock,
            rng: config.rng,
            outbox: Outbox::default(),
            doing: JoinSet::new(),
            writing: JoinSet::new(),
            wake_at: None,
            last_turn_at: Time::ZERO,
            stopped,
            linked: true,
        }
    }

    async fn run(mut self, facts: NodeFacts) {
        let mut stopped = self.stopped.clone();
        let inventory = tokio::select! {
            inventory = self.inventory() => inventory,
            _ = stopped.changed() => return,
        };
        // Before the first report, which belongs to it.
        self.link.send(ToPlane::Hello(facts));
        self.handle(Event::Recovered(inventory));
        while self.turn().await {}
        while self.writing.join_next().await.is_some() {}
    }

    /// One thing that happens; `false` at the end.
    async fn turn(&mut self) -> bool {
        let now = self.clock.now();
        if now < std::mem::replace(&mut self.last_turn_at, now) {
            self.handle(Event::Tick); // the clock was set back: what was to come at a time is to come earlier
        }
        let wake_in = self.wake_at.map(|at| at.since(now));
        tokio::select! {
            _ = self.stopped.changed() => return false,
            Some(done) = self.doing.join_next() => self.done(done),
            Some(written) = self.writing.join_next() => self.written(written),
            Some(event) = self.exits.recv() => self.runtime_event(event),
            message = self.link.recv(), if self.linked => self.message(message),
            () = sleep(wake_in) => {
                self.wake_at = None;
                self.handle(Event::Tick);
            }
        }
        true
    }

    fn handle(&mut self, event: Event) {
        let effects = self.engine.handle(self.clock.now(), event);
        self.outbox.push(effects);
        self.pump();
    }

    fn pump(&mut self) {
        while let Some(step) = self.outbox.next() {
            match step {
                Step::Write(group) => self.write(group),
                Step::Perform(Effect::Report(report)) => self.link.send(ToPlane::Report(report)),
                Step::Perform(Effect::WakeAt(at)) => self.wake_at = Some(at),
                Step::Perform(effect) => {
                    tracing::debug!(%effect);
                    if let Some(doing) = self.hands.perform(effect, &mut self.rng) {
                        self.doing.spawn(doing);
                    }
                }
            }
        }
    }

    /// Until it is durable nothing else can be done, so it is tried until it works.
    fn write(&mut self, group: Group) {
        let memory = Arc::clone(&self.memory);
        let group = Arc::new(group);
        self.writing.spawn(async move {
            loop {
                let (memory, group) = (Arc::clone(&memory), Arc::clone(&group));
                match hands::blocking(move || memory.write(&group)).await {
                    Ok(()) => return,
                    Err(error) => tracing::error!(%error, "the node cannot remember"),
                }
                tokio::time::sleep(hands::AGAIN).await;
            }
        });
    }

    fn written(&mut self, written: Result<(), tokio::task::JoinError>) {
        raise(written);
        self.outbox.written();
        self.pump();
    }

    fn done(&mut self, done: Result<Option<Event>, tokio::task::JoinError>) {
        if let Some(event) = raise(done).flatten() {
            self.handle(event);
        }
    }

    fn message(&mut self, message: Option<ToNode>) {
        match message {
            Some(ToNode::Assign(assign)) => {
                if assign.generation < self.engine.generation() {
                    let obeyed = self.engine.generation();
                    tracing::warn!(assign.generation, obeyed, "an older set is refused");
                }
                self.handle(Event::Assigned(assign));
            }
            None => self.linked = false, // the plane is gone; what runs here goes on
        }
    }

    fn runtime_event(&mut self, event: RuntimeEvent) {
        match event {
            RuntimeEvent::Exited { id, runtime_id, exit } => {
                let (task, container, exit) = (id.task, id.container, hands::exit(exit));
                self.handle(Event::Exited { task, container, runtime_id, exit });
            }
            RuntimeEvent::SandboxLost { task } => {
                self.doing.spawn(self.hands.clone().observe(task));
            }
        }
    }

    /// Everything that outlived the last agent. Without it nothing may be done.
    async fn inventory(&self) -> Inventory {
        loop {
            match self.take_inventory().await {
                Ok(inventory) => return inventory,
                Err(error) => tracing::error!(%error, "no inventory of this host"),
            }
            tokio::time::sleep(hands::AGAIN).await;
        }
    }

    async fn take_inventory(&self) -> Result<Inventory, Box<dyn std::error::Error + Send + Sync>> {
        let memory = Arc::clone(&self.memory);
        let (generation, tasks) = hands::blocking(move || memory.load()).await?;
        let (sandboxes, containers) = self.hands.runtime.list().await?;
        let attachments = self.hands.network.list().await?;
        Ok(Inventory {
            generation,
            tasks,
            sandboxes,
            containers: containers.into_iter().map(hands::observed).collect(),
            attachments: attachments.into_iter().map(|a| (a.id.clone(), hands::attachment(a))).collect(),
        })
    }
}

/// A panic is a broken rule of ours: the agent falls and is started again, rather than going on without knowing.
fn raise<T>(result: Result<T, tokio::task::JoinError>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => None,
        },
    }
}

async fn sleep(time: Option<Duration>) {
    match time.and_then(|time| Instant::now().checked_add(time)) {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}
