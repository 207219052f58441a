//! What containers write, sent on as it comes. For each container whose log driver is one of those this node was made with
//! (`LogDriver`), a follower reads its file and brings lines to its sink; a task's sandbox is not closed before that is done,
//! or has failed for long. Drivers: `awslogs`. Whoever adds one implements `LogDriver` and `LogSink` and names it in the
//! composition root.

pub mod awslogs;
mod follower;
mod lines;
mod reader;
mod sink;
mod watches;

pub use lines::{Dropped, Line, Lines, Stream};
pub use sink::{LogDriver, LogSink, SinkResult, Source};

use follower::Follower;
use runtime::{Runtime, logfile};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;
use watches::Watches;
use workload::{ContainerSpec, LogSpec, TaskId, TaskSpec};

/// By the names that definitions use.
pub type LogDrivers = BTreeMap<&'static str, Arc<dyn LogDriver>>;

/// How long the end of a task waits for a sink that takes nothing.
const PATIENCE: Duration = Duration::from_secs(10);
/// Files that are read at once.
const READERS: usize = 2;
/// As ECS has it since June 2025; Docker's own is 1 MiB.
const MAX_BUFFER_BYTES: u64 = 10 << 20;

#[derive(Clone)]
pub struct Logging(Arc<Inner>);

struct Inner {
    drivers: LogDrivers,
    /// Where shims write.
    logs: PathBuf,
    runtime: Arc<dyn Runtime>,
    watches: Arc<Watches>,
    turns: Arc<Semaphore>,
    followers: Mutex<BTreeMap<(TaskId, String), Handle>>,
}

#[derive(Clone)]
struct Handle {
    /// The task's log router, where lines go to a container.
    router: Option<String>,
    /// Closed once the follower has ended.
    over: Arc<watch::Sender<bool>>,
    work: AbortHandle,
}

impl Logging {
    pub fn new(drivers: LogDrivers, logs: PathBuf, runtime: Arc<dyn Runtime>) -> Logging {
        Logging(Arc::new(Inner {
            drivers,
            logs,
            runtime,
            watches: Arc::default(),
            turns: Arc::new(Semaphore::new(READERS)),
            followers: Mutex::default(),
        }))
    }

    /// Before a container is started, for the first time or again. The error is why it cannot be.
    pub async fn start(&self, task: &Arc<TaskSpec>, container: &ContainerSpec, runtime_id: &str) -> Result<(), String> {
        let Some(driver) = self.driver(container) else { return Ok(()) };
        if self.followers().contains_key(&(task.id.clone(), container.name.clone())) {
            return Ok(());
        }
        let failed = |error: io::Error| format!("ResourceInitializationError: failed to initialize logging driver: {error}");
        let run_file = run_file(&self.path(task, &container.name));
        let runtime_id = fs::read_to_string(&run_file).unwrap_or_else(|_| runtime_id.to_owned());
        let source = Source { task: Arc::clone(task), container: container.name.clone(), runtime_id };
        let sink = driver.open(&source, 0).await?;
        // Only now: what is found here by the next agent has been opened.
        run_file.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
        fs::write(&run_file, &source.runtime_id).map_err(failed)?;
        self.follow(driver, source, Some(sink)).map_err(failed)
    }

    /// What the last agent followed, of tasks that are not over.
    pub fn resume(&self, task: &Arc<TaskSpec>) {
        for container in &task.containers {
            let (Some(driver), path) = (self.driver(container), self.path(task, &container.name)) else { continue };
            let Ok(runtime_id) = fs::read_to_string(run_file(&path)) else { continue };
            let source = Source { task: Arc::clone(task), container: container.name.clone(), runtime_id };
            if let Err(error) = self.follow(driver, source, None) {
                tracing::error!(task = task.id, container = container.name, %error, "log lines are not sent on");
            }
        }
    }

    /// Nobody writes any more. Returns when all lines have been taken, or when there is no more patience; nothing is done for
    /// the task behind it.
    pub async fn finish(&self, task: &str) {
        let all = self.of_task(task, |_| true);
        self.followers().retain(|(id, _), _| id != task);
        let (routed, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|(handle, _)| handle.router.is_some());
        // Routers have ended: nobody takes what is left.
        give_up(task, routed).await;
        let late = end(others).await;
        give_up(task, late).await;
    }

    /// Those whose lines go to this container, which is about to be stopped, have until then; nothing for one that is no router.
    pub async fn finish_senders(&self, task: &str, router: &str) {
        end(self.of_task(task, |handle| handle.router.as_deref() == Some(router))).await;
    }

    fn of_task(&self, task: &str, which: impl Fn(&Handle) -> bool) -> Vec<(Handle, String)> {
        let followers = self.followers();
        let found = followers.iter().filter(|((id, _), handle)| id == task && which(handle));
        found.map(|((_, container), handle)| (handle.clone(), container.clone())).collect()
    }

    fn follow(&self, driver: Arc<dyn LogDriver>, source: Source, sink: Option<Box<dyn LogSink>>) -> io::Result<()> {
        let path = self.path(&source.task, &source.container);
        let (over, is_over) = watch::channel(false);
        let key = (source.task.id.clone(), source.container.clone());
        let router = source.router().map(str::to_owned);
        let follower = Follower {
            driver,
            runtime: Arc::clone(&self.0.runtime),
            watch: self.0.watches.watch(&path)?,
            turns: Arc::clone(&self.0.turns),
            over: is_over,
            most_waiting: source.spec().and_then(|spec| most_waiting(&spec.log)),
            source,
            path,
        };
        let work = tokio::spawn(follower.run(sink)).abort_handle();
        self.followers().insert(key, Handle { router, over: Arc::new(over), work });
        Ok(())
    }

    fn driver(&self, container: &ContainerSpec) -> Option<Arc<dyn LogDriver>> {
        self.0.drivers.get(container.log.driver.as_str()).cloned()
    }

    fn path(&self, task: &TaskSpec, container: &str) -> PathBuf {
        logfile::path(&self.0.logs, &task.id, container)
    }

    fn followers(&self) -> MutexGuard<'_, BTreeMap<(TaskId, String), Handle>> {
        self.0.followers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns those that are not done when there is no more patience.
async fn end(followers: Vec<(Handle, String)>) -> Vec<(Handle, String)> {
    for (handle, _) in &followers {
        let _ = handle.over.send(true); // one that has ended already hears nothing
    }
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut late = vec![];
    for follower in followers {
        if tokio::time::timeout_at(deadline, follower.0.over.closed()).await.is_err() {
            late.push(follower);
        }
    }
    late
}

async fn give_up(task: &str, followers: Vec<(Handle, String)>) {
    for (handle, container) in followers {
        if !handle.over.is_closed() {
            tracing::error!(task, container, "log lines were not taken in time and are lost");
        }
        handle.work.abort();
        handle.over.closed().await;
    }
}

/// Followers end with their agent, as if it were killed.
impl Drop for Inner {
    fn drop(&mut self) {
        let followers = self.followers.get_mut().unwrap_or_else(PoisonError::into_inner);
        followers.values().for_each(|handle| handle.work.abort());
    }
}

/// Bytes of text; none where the container waits instead.
fn most_waiting(log: &LogSpec) -> Option<u64> {
    let size = log.options.get("max-buffer-size").or(log.options.get("log-driver-buffer-limit"));
    let given = size.and_then(|text| binary_size(text));
    (!log.is_blocking()).then(|| given.unwrap_or(MAX_BUFFER_BYTES))
}

/// `25m`: powers of 1024, as Docker reads sizes of memory.
fn binary_size(text: &str) -> Option<u64> {
    let text = text.trim().to_lowercase();
    let text = text.strip_suffix("ib").or(text.strip_suffix('b')).unwrap_or(&text);
    let (digits, factor) = match text.chars().last()? {
        'k' => (&text[..text.len() - 1], 1 << 10),
        'm' => (&text[..text.len() - 1], 1 << 20),
        'g' => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    digits.trim().parse::<u64>().ok()?.checked_mul(factor)
}

/// Has the id of the container's first run: where a stream is named after it, that name stays.
fn run_file(path: &Path) -> PathBuf {
    path.with_extension("run")
}

#[cfg(test)]
mod tests;
