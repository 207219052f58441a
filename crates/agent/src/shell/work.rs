//! The loop that owns the engine: tells it what happens, has its effects performed, says its reports. Everything it awaits is
//! an event.

use super::Config;
use super::hands::{self, Hands};
use super::memory::{Group, Memory};
use super::outbox::{Outbox, Step};
use crate::engine::{Effect, Engine, Event, Inventory};
use crate::metadata::{Inquiry, Known};
use base::{Clock, Rng, Time};
use link::{NodeEnd, ToNode, ToPlane};
use runtime::RuntimeEvent;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use workload::TaskPhase;

pub struct Shell {
    engine: Engine,
    hands: Hands,
    pub memory: Arc<Memory>,
    link: NodeEnd,
    clock: Arc<dyn Clock>,
    rng: Rng,
    outbox: Outbox,
    /// Effects under way.
    doing: JoinSet<Option<Event>>,
    writing: JoinSet<()>,
    exits: UnboundedReceiver<RuntimeEvent>,
    inquiries: Receiver<Inquiry>,
    /// Asked by containers whose start has not been told yet.
    early: Vec<Inquiry>,
    wake_at: Option<Time>,
    last_turn_at: Time,
    stopped: watch::Receiver<bool>,
    linked: bool,
}

impl Shell {
    pub fn new(
        config: Config,
        hands: Hands,
        memory: Memory,
        (link, inquiries): (NodeEnd, Receiver<Inquiry>),
        stopped: watch::Receiver<bool>,
    ) -> Shell {
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
            inquiries,
            early: vec![],
            wake_at: None,
            last_turn_at: Time::ZERO,
            stopped,
            linked: true,
        }
    }

    pub async fn run(mut self) {
        let mut stopped = self.stopped.clone();
        let inventory = tokio::select! {
            inventory = self.inventory() => inventory,
            _ = stopped.changed() => return,
        };
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
            Some(inquiry) = self.inquiries.recv() => self.early.push(inquiry),
            () = sleep(wake_in) => {
                self.wake_at = None;
                self.handle(Event::Tick);
            }
        }
        self.answer();
        true
    }

    /// Whoever asks runs, so what its start was called will be told in a moment.
    fn answer(&mut self) {
        let is_early = |i: &Inquiry| i.container.is_some_and(|container| self.engine.is_starting(&i.task, container));
        let (early, due) = std::mem::take(&mut self.early).into_iter().partition(is_early);
        self.early = early;
        for Inquiry { task, container, answer } in due {
            let container = container.unwrap_or_default();
            let known = self.engine.known(&task).filter(|(spec, _)| container < spec.containers.len());
            // It may have hung up.
            let _ = answer.send(known.map(|(spec, status)| Known { spec, status, container }));
        }
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
        let mut stopped = self.stopped.clone();
        self.writing.spawn(async move {
            loop {
                let (memory, group) = (Arc::clone(&memory), Arc::clone(&group));
                match hands::blocking(move || memory.write(&group)).await {
                    Ok(()) => return,
                    Err(error) => tracing::error!(%error, "the node cannot remember"),
                }
                tokio::select! {
                    () = tokio::time::sleep(hands::AGAIN) => {}
                    _ = stopped.changed() => return,
                }
            }
        });
    }

    fn written(&mut self, written: Result<(), JoinError>) {
        raise(written);
        self.outbox.written();
        self.pump();
    }

    fn done(&mut self, done: Result<Option<Event>, JoinError>) {
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
        let not_over = tasks.iter().filter(|task| task.phase < TaskPhase::Stopped);
        not_over.for_each(|task| self.hands.logging.resume(&task.spec));
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
fn raise<T>(result: Result<T, JoinError>) -> Option<T> {
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
