//! The seam between a container's output and where it is sent. A driver (`awslogs`, …) is made once a node; it opens a sink
//! for each container. Following files, resuming, trying again and dropping are the follower's, not a driver's.

use super::lines::Lines;
use async_trait::async_trait;
use std::error::Error;
use std::sync::Arc;
use tokio::time::Instant;
use workload::{ContainerSpec, TaskSpec};

/// For the operator; it will be tried again.
pub type SinkResult<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Whose output it is.
#[derive(Clone, Debug)]
pub struct Source {
    pub task: Arc<TaskSpec>,
    pub container: String,
    /// Of the container's first run: one that is started again goes on where it was.
    pub runtime_id: String,
}

impl Source {
    pub fn spec(&self) -> Option<&ContainerSpec> {
        self.task.container(&self.container)
    }

    /// The container that takes these lines, if one does.
    pub fn router(&self) -> Option<&str> {
        let sends = self.spec()?.log.driver == crate::shell::firelens::DRIVER;
        let router = self.task.containers.iter().find(|container| sends && container.firelens.is_some())?;
        Some(router.name.as_str())
    }

    pub fn option(&self, name: &str) -> Option<&str> {
        self.spec()?.log.options.get(name).map(String::as_str)
    }
}

#[async_trait]
pub trait LogDriver: Send + Sync {
    /// Attributes of a node that has this driver.
    fn capabilities(&self) -> &'static [&'static str];

    /// Before the container is first started, and again after an error or with the next agent. All before byte `taken` of
    /// its output has been taken already; the sink may know of more. The error becomes the reason why a container does
    /// not start: ECS's class name, a colon, what happened.
    async fn open(&self, source: &Source, taken: u64) -> Result<Box<dyn LogSink>, String>;
}

#[async_trait]
pub trait LogSink: Send {
    /// The first byte of the container's output that has not been taken for good: also another agent need not bring again
    /// what is before it.
    fn taken(&self) -> u64;

    /// Takes lines, those that stand at `taken` first. May keep some in mind without having taken them. After an error the
    /// sink is thrown away, another one opened, and lines are brought again from where that one stands.
    async fn take(&mut self, lines: &Lines) -> SinkResult<()>;

    /// When `flush` is wanted though no more lines come.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// Takes what was kept in mind; all of it if no line will ever come (`over`).
    async fn flush(&mut self, _over: bool) -> SinkResult<()> {
        Ok(())
    }
}
