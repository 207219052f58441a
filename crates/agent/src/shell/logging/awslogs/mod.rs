//! The `awslogs` driver: what a container writes becomes events of CloudWatch Logs, as with Docker's driver of that name. A
//! stream carries how far it has come, so that no line is lost and none is there twice, whoever is killed when.

mod cloudwatch;
mod datetime;
mod events;
mod options;

pub use cloudwatch::{CloudWatchLogs, Destination, Events, OpenError, Opened};

use super::{Lines, LogDriver, LogSink, SinkResult, Source};
use async_trait::async_trait;
use events::Joiner;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long lines wait for others of their event, as in Docker's driver.
const EVENT_TIMEOUT: Duration = Duration::from_secs(5);

pub struct AwsLogs(Arc<dyn CloudWatchLogs>);

impl AwsLogs {
    pub fn new(service: Arc<dyn CloudWatchLogs>) -> AwsLogs {
        AwsLogs(service)
    }
}

#[async_trait]
impl LogDriver for AwsLogs {
    fn capabilities(&self) -> &'static [&'static str] {
        &["com.amazonaws.ecs.capability.logging-driver.awslogs", "ecs.capability.execution-role-awslogs"]
    }

    async fn open(&self, source: &Source, taken: u64) -> Result<Box<dyn LogSink>, String> {
        let failed = |error: &dyn std::error::Error| refusal(source, error);
        let destination = options::destination(source).map_err(|error| failed(&error))?;
        let event_start = options::event_start(source).map_err(|error| failed(&error))?;
        let opened = self.0.open(&destination).await.map_err(|error| failed(&error))?;
        let taken = opened.mark.unwrap_or_default().max(taken);
        let joiner = Joiner::new(event_start, taken);
        Ok(Box::new(Stream { service: Arc::clone(&self.0), destination, id: opened.id, joiner, taken, due: None }))
    }
}

/// Fargate tries its logger's arguments before it starts anything, and says so.
fn refusal(source: &Source, error: &dyn std::error::Error) -> String {
    let said = match source.task.launch_type.as_str() {
        "FARGATE" => format!("failed to validate logger args: create stream has been retried 1 times: {error} : exit status 1"),
        _ => format!("failed to initialize logging driver: {error}"),
    };
    format!("ResourceInitializationError: {said}")
}

struct Stream {
    service: Arc<dyn CloudWatchLogs>,
    destination: Destination,
    id: String,
    joiner: Joiner,
    taken: u64,
    /// Since when an event has been waiting for more lines: where it begins, and when that is enough.
    due: Option<(u64, Instant)>,
}

impl Stream {
    /// Also without an event: lines that become none are done with as well.
    async fn put(&mut self, events: Events) -> SinkResult<()> {
        let mark = self.joiner.complete();
        if !events.is_empty() || mark > self.taken {
            self.service.put(&self.destination, &self.id, events, mark).await?;
            self.taken = mark;
        }
        Ok(())
    }
}

#[async_trait]
impl LogSink for Stream {
    fn taken(&self) -> u64 {
        self.taken
    }

    async fn take(&mut self, lines: &Lines) -> SinkResult<()> {
        let mut events = Events::default();
        self.joiner.push(lines, &mut events);
        let waiting = self.joiner.event_start();
        if waiting != self.due.map(|(start, _)| start) {
            self.due = waiting.map(|start| (start, Instant::now() + EVENT_TIMEOUT));
        }
        self.put(events).await
    }

    fn due(&self) -> Option<Instant> {
        self.due.map(|(_, at)| at)
    }

    async fn flush(&mut self, over: bool) -> SinkResult<()> {
        let mut events = Events::default();
        self.joiner.flush(over, &mut events);
        self.due = None;
        self.put(events).await
    }
}
