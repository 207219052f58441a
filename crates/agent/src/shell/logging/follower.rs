//! One container's output on its way to its sink: read when the file changes, brought as it comes, and after an error again
//! from where the sink stands. What the sink has not taken stays in the file; nothing else is held but one read.

use super::lines::Lines;
use super::reader::Reader;
use super::sink::{LogDriver, LogSink, SinkResult, Source};
use super::watches::Watch;
use crate::shell::hands::{AGAIN, blocking};
use runtime::{ContainerId, Runtime};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};

pub struct Follower {
    pub driver: Arc<dyn LogDriver>,
    pub runtime: Arc<dyn Runtime>,
    pub source: Source,
    pub path: PathBuf,
    pub watch: Watch,
    /// To read: whoever floods leaves the processors to others.
    pub turns: Arc<Semaphore>,
    /// Nobody writes any more.
    pub over: watch::Receiver<bool>,
    /// More than this is not let wait; none where the container itself waits.
    pub most_waiting: Option<u64>,
}

impl Follower {
    /// Ends when it is over and everything has been taken.
    pub async fn run(mut self, mut sink: Option<Box<dyn LogSink>>) {
        let mut taken = 0;
        loop {
            let result = match sink.take() {
                Some(sink) => self.follow(sink, &mut taken).await,
                None => match self.driver.open(&self.source, taken).await {
                    Ok(sink) => self.follow(sink, &mut taken).await,
                    Err(error) => Err(error.into()),
                },
            };
            let Err(error) = result else { return };
            let (task, container) = (&self.source.task.id, &self.source.container);
            tracing::warn!(task, container, %error, "lines are not taken; trying again");
            sleep(AGAIN).await;
        }
    }

    async fn follow(&mut self, mut sink: Box<dyn LogSink>, taken: &mut u64) -> SinkResult<()> {
        let mut reader = Reader::new(self.path.clone(), sink.taken());
        let mut told = None;
        loop {
            *taken = sink.taken();
            self.make_room(&mut told, *taken, reader.file_start()).await;
            // Before reading: what was written by then is read.
            let over = *self.over.borrow_and_update();
            let (came_from, read) = self.read(reader).await;
            reader = came_from;
            let lines = read?;
            if !lines.is_empty() {
                self.say_what_is_dropped(&lines);
                sink.take(&lines).await?;
            } else if over {
                sink.flush(true).await?;
                *taken = sink.taken();
                return Ok(());
            } else {
                self.wait(&mut *sink).await?;
            }
        }
    }

    async fn read(&self, mut reader: Reader) -> (Reader, io::Result<Lines>) {
        let most_waiting = self.most_waiting;
        // Closed never.
        let _turn = self.turns.acquire().await;
        blocking(move || {
            let dropped = most_waiting.map_or(Ok(()), |most| reader.drop_all_but(most));
            let read = dropped.and_then(|()| reader.read());
            (reader, read)
        })
        .await
    }

    /// Until there may be something to read, or to flush.
    async fn wait(&mut self, sink: &mut dyn LogSink) -> SinkResult<()> {
        tokio::select! {
            () = self.watch.changed.notified() => Ok(()),
            // Whoever would say so is gone: then this is ended soon.
            Ok(()) = self.over.changed() => Ok(()),
            () = until(sink.due()) => sink.flush(false).await,
        }
    }

    /// For a container that waits for it, whenever all of a file has been taken. One whose shim is gone waits no more.
    async fn make_room(&self, told: &mut Option<u64>, taken: u64, file_start: u64) {
        if self.most_waiting.is_some() || taken < file_start || *told == Some(file_start) {
            return;
        }
        *told = Some(file_start);
        let id = ContainerId { task: self.source.task.id.clone(), container: self.source.container.clone() };
        if let Err(error) = self.runtime.logs_taken(&id, taken).await {
            tracing::debug!(task = id.task, container = id.container, %error, "no room was made");
        }
    }

    fn say_what_is_dropped(&self, lines: &Lines) {
        let dropped = lines.dropped;
        if dropped != Default::default() {
            let (task, container) = (&self.source.task.id, &self.source.container);
            tracing::warn!(task, container, dropped.lines, dropped.bytes, "log lines were dropped");
        }
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
