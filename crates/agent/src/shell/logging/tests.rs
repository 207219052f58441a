//! Followers with a sink of values, whose takings outlive it and whose errors the test says.

use super::*;
use async_trait::async_trait;
use base::SystemClock;
use runtime::fake::FakeRuntime;
use std::fs::File;
use std::io::Write;

#[derive(Clone, Copy, PartialEq)]
enum Fails {
    BeforeItTakes,
    /// Whoever brought lines does not know that they were taken.
    AfterItTook,
}

#[derive(Default)]
struct Kept {
    taken: u64,
    lines: Vec<String>,
    fails: Vec<Fails>,
}

#[derive(Clone, Default)]
struct Store(Arc<Mutex<Kept>>);

struct Sink(Store, u64);

impl Store {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap()
    }
}

#[async_trait]
impl LogDriver for Store {
    fn capabilities(&self) -> &'static [&'static str] {
        &[]
    }

    async fn open(&self, _: &Source, taken: u64) -> Result<Box<dyn LogSink>, String> {
        Ok(Box::new(Sink(self.clone(), self.kept().taken.max(taken))))
    }
}

#[async_trait]
impl LogSink for Sink {
    fn taken(&self) -> u64 {
        self.1
    }

    async fn take(&mut self, lines: &Lines) -> SinkResult<()> {
        let mut kept = self.0.kept();
        let fails = kept.fails.pop();
        if fails != Some(Fails::BeforeItTakes) {
            kept.lines.extend(lines.iter().map(|line| line.text.to_owned()));
            kept.taken = lines.end;
        }
        if fails.is_some() {
            return Err("asked to fail".into());
        }
        self.1 = lines.end;
        Ok(())
    }
}

struct Node {
    directory: tempfile::TempDir,
    store: Store,
    task: Arc<TaskSpec>,
}

impl Node {
    fn new(mode: &str) -> Node {
        let log = LogSpec { driver: "awslogs".into(), options: [("mode".to_owned(), mode.to_owned())].into() };
        let container = ContainerSpec { name: "app".into(), log, ..ContainerSpec::default() };
        let task = Arc::new(TaskSpec { id: "t".into(), containers: vec![container], ..TaskSpec::default() });
        Node { directory: tempfile::tempdir().unwrap(), store: Store::default(), task }
    }

    fn logging(&self) -> Logging {
        let drivers = LogDrivers::from([("awslogs", Arc::new(self.store.clone()) as _)]);
        Logging::new(drivers, self.directory.path().to_owned(), Arc::new(FakeRuntime::new(Arc::new(SystemClock))))
    }

    async fn start(&self, logging: &Logging) {
        logging.start(&self.task, &self.task.containers[0], "run").await.unwrap();
    }

    fn write(&self, lines: std::ops::Range<u32>) {
        let path = logfile::path(self.directory.path(), "t", "app");
        let mut file = File::options().create(true).append(true).open(path).unwrap();
        for line in lines {
            writeln!(file, r#"{{"time":"2023-11-14T22:13:20.123Z","stream":"stdout","log":"{line}\n"}}"#).unwrap();
        }
    }

    fn lines(&self) -> Vec<u32> {
        self.store.kept().lines.iter().map(|line| line.parse().unwrap()).collect()
    }
}

#[tokio::test]
async fn each_line_is_taken_once_whatever_fails_and_the_end_waits_for_it() {
    let node = Node::new("blocking");
    node.store.kept().fails = vec![Fails::AfterItTook, Fails::BeforeItTakes];
    let logging = node.logging();
    node.start(&logging).await;
    node.write(0..20_000);
    logging.finish("t").await;
    assert_eq!(node.lines(), (0..20_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn another_agent_goes_on_where_the_last_one_was() {
    let node = Node::new("blocking");
    let first = node.logging();
    node.start(&first).await;
    node.write(0..10);
    first.finish("t").await;
    drop(first);
    node.write(10..20);
    let second = node.logging();
    second.resume(&node.task);
    second.finish("t").await;
    assert_eq!(node.lines(), (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_no_agent_started_is_not_resumed() {
    let node = Node::new("blocking");
    let logging = node.logging();
    logging.resume(&node.task);
    std::fs::create_dir_all(node.directory.path().join("t")).unwrap();
    node.write(0..10);
    logging.finish("t").await;
    assert_eq!(node.lines(), [] as [u32; 0]);
}

#[test]
fn sizes_of_buffers_are_read_as_docker_reads_sizes_of_memory() {
    let cases = [("25m", Some(25 << 20)), ("10k", Some(10 << 10)), ("1GiB", Some(1 << 30)), ("512b", Some(512)), ("x", None)];
    for (text, expected) in cases {
        assert_eq!(binary_size(text), expected, "{text}");
    }
}
