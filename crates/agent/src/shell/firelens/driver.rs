//! The log driver `awsfirelens`: brings a container's lines to the task's router, over the socket that both see. Keeps no lines:
//! what the router does not take stays in the container's file. How far it has come is on disk, so that the next agent does not
//! bring everything again; a line that was on its way when this one was killed comes twice, as no answer is asked for.

use super::forward::{self, Origin};
use super::{DRIVER, Firelens};
use crate::shell::logging::{Lines, LogDriver, LogSink, SinkResult, Source};
use async_trait::async_trait;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

/// As the stock agent registers them (`agent/app/agent_capability.go`).
const CAPABILITIES: [&str; 7] = [
    "com.amazonaws.ecs.capability.logging-driver.awsfirelens",
    "ecs.capability.logging-driver.awsfirelens",
    "ecs.capability.logging-driver.awsfirelens.log-driver-buffer-limit",
    "ecs.capability.firelens.fluentd",
    "ecs.capability.firelens.fluentbit",
    "ecs.capability.firelens.options.config.file",
    "ecs.capability.firelens.non-root-user",
];

pub struct Driver {
    firelens: Firelens,
}

struct Sink {
    origin: Origin,
    socket: PathBuf,
    stream: Option<UnixStream>,
    progress: Progress,
    taken: u64,
}

impl Driver {
    pub const NAME: &str = DRIVER;

    pub fn new(firelens: Firelens) -> Driver {
        Driver { firelens }
    }
}

#[async_trait]
impl LogDriver for Driver {
    fn capabilities(&self) -> &'static [&'static str] {
        &CAPABILITIES
    }

    /// Waits for no router: lines wait for it, as with the asynchronous connections of the stock agent.
    async fn open(&self, source: &Source, taken: u64) -> Result<Box<dyn LogSink>, String> {
        let failed = |error: io::Error| format!("ResourceInitializationError: failed to initialize logging driver: {error}");
        let progress = Progress::open(self.firelens.progress(&source.task.id, &source.container)).map_err(failed)?;
        let taken = progress.read().map_err(failed)?.max(taken);
        let origin = Origin::new(&source.task, &source.container, &source.runtime_id);
        let socket = self.firelens.socket(&source.task.id);
        Ok(Box::new(Sink { origin, socket, stream: None, progress, taken }))
    }
}

#[async_trait]
impl LogSink for Sink {
    fn taken(&self) -> u64 {
        self.taken
    }

    async fn take(&mut self, lines: &Lines) -> SinkResult<()> {
        let mut messages = vec![];
        for line in lines.iter() {
            forward::encode(&self.origin, &line, &mut messages);
        }
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(UnixStream::connect(&self.socket).await?),
        };
        stream.write_all(&messages).await?;
        self.taken = lines.end;
        Ok(self.progress.write(self.taken)?)
    }

    /// A router that has read everything hangs up too; then it may be stopped.
    async fn flush(&mut self, over: bool) -> SinkResult<()> {
        if let Some(mut stream) = self.stream.take_if(|_| over) {
            stream.shutdown().await?;
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
        }
        Ok(())
    }
}

/// A number on disk, replaced in place: whoever is killed leaves the old one or the new one.
struct Progress(File);

impl Progress {
    fn open(path: PathBuf) -> io::Result<Progress> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        File::options().read(true).write(true).create(true).truncate(false).open(path).map(Progress)
    }

    fn read(&self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        // Shorter while nothing has been taken.
        Ok(if self.0.read_at(&mut bytes, 0)? == bytes.len() { u64::from_le_bytes(bytes) } else { 0 })
    }

    fn write(&self, taken: u64) -> io::Result<()> {
        self.0.write_all_at(&taken.to_le_bytes(), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::io::AsyncReadExt;
    use tokio::net::UnixListener;
    use workload::{ContainerSpec, TaskSpec};

    fn lines(start: u64, text: &str) -> Lines {
        let mut lines = Lines::default();
        let entry = format!("{{\"time\":\"2023-11-14T22:13:20.250Z\",\"stream\":\"stderr\",\"log\":\"{text}\\n\"}}\n");
        lines.parse(entry.as_bytes(), start);
        lines
    }

    #[tokio::test]
    async fn lines_wait_for_the_router_and_come_once() {
        let data = tempfile::tempdir().unwrap();
        let firelens = Firelens::new(data.path());
        let container = ContainerSpec { name: "app".into(), ..ContainerSpec::default() };
        let task = TaskSpec { id: "t1".into(), containers: vec![container], ..TaskSpec::default() };
        let source = Source { task: Arc::new(task), container: "app".into(), runtime_id: "0123".into() };
        let driver = Driver::new(firelens.clone());

        let mut sink = driver.open(&source, 0).await.unwrap();
        let first = lines(0, "first");
        sink.take(&first).await.unwrap_err();
        assert_eq!(sink.taken(), 0);

        std::fs::create_dir_all(firelens.socket("t1").parent().unwrap()).unwrap();
        let listener = UnixListener::bind(firelens.socket("t1")).unwrap();
        sink.take(&first).await.unwrap();
        sink.take(&lines(first.end, "second")).await.unwrap();
        let again = driver.open(&source, 0).await.unwrap();
        assert_eq!((sink.taken(), again.taken()), (first.end * 2 + 1, first.end * 2 + 1));

        drop(sink);
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut received = vec![];
        stream.read_to_end(&mut received).await.unwrap();
        let received = received.escape_ascii().to_string();
        let texts: Vec<&str> = received.split(r"\xa3log").skip(1).map(|rest| rest.split(r"\x80").next().unwrap()).collect();
        assert_eq!(texts, [r"\xa5first", r"\xa6second"]);
        assert!(received.starts_with(r"\x94\xafapp-firelens-t1\xd7\x00eS\xf1\x00\x0e\xe6\xb2\x80\x84"), "{received}");
    }
}
