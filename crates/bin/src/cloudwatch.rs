//! CloudWatch Logs as a node in this process has it: groups and streams by the API's own operations, events straight into the
//! store, with how far the node has come.

use agent::logging::awslogs::{CloudWatchLogs, Destination, Events, OpenError, Opened};
use async_trait::async_trait;
use base::{Rng, Scope};
use kernel::plane::Who;
use kernel::{Caller, Plane};
use logs::{group, stream};
use logstore::Batch;
use serde_json::json;
use std::error::Error;

pub struct CloudWatch {
    pub plane: Plane,
    pub events: logstore::Events,
}

const EXISTS: &str = "ResourceAlreadyExistsException";
const MISSING: &str = "ResourceNotFoundException";
/// What an event takes beside its message.
const BYTES_PER_EVENT: usize = 12;

#[async_trait]
impl CloudWatchLogs for CloudWatch {
    /// As Docker's driver: first the stream, then, if its group is missing and may be made, both.
    async fn open(&self, to: &Destination) -> Result<Opened, OpenError> {
        let mut created = self.create(to, "CreateLogStream").await;
        if to.create_group && created.as_ref().is_err_and(|error| error.code == MISSING) {
            self.create(to, "CreateLogGroup").await.map_err(|error| OpenError::Group(error.to_string()))?;
            created = self.create(to, "CreateLogStream").await;
        }
        created.map_err(|error| OpenError::Stream(error.to_string()))?;
        let failed = |what: &dyn std::fmt::Display| OpenError::Stream(what.to_string());
        let id = self.stream_id(to).ok_or_else(|| failed(&"the log stream has been deleted"))?;
        let stream = id.clone();
        let mark = self.events.run(move |store| store.mark(&stream)).await.map_err(|error| failed(&error))?;
        Ok(Opened { id, mark: mark.and_then(|mark| Some(u64::from_le_bytes(mark.try_into().ok()?))) })
    }

    async fn put(&self, to: &Destination, id: &str, events: Events, mark: u64) -> Result<(), Box<dyn Error + Send + Sync>> {
        if self.stream_id(to).as_deref() != Some(id) {
            return Err(format!("log stream {} of {} has been deleted", to.stream, to.group).into());
        }
        let (stream, now) = (id.to_owned(), self.plane.clock().now());
        let append = move |store: &logstore::EventStore| {
            let mut batch = Batch::new(now.millis() as i64, &mark.to_le_bytes());
            batch.reserve(events.bytes() + events.count() * BYTES_PER_EVENT);
            events.iter().for_each(|(time_ms, message)| batch.push(time_ms, message));
            store.append(&stream, batch)
        };
        Ok(self.events.run(append).await?)
    }
}

impl CloudWatch {
    async fn create(&self, to: &Destination, operation: &str) -> Result<(), wire::Error> {
        let mut body = json!({ "logGroupName": to.group });
        if operation == "CreateLogStream" {
            body["logStreamName"] = to.stream.as_str().into();
        }
        let who = Who { scope: scope(to), caller: Caller::default(), request_id: Rng::from_os().uuid() };
        match self.plane.call(&api_logs::MODEL, operation, who, body.to_string().as_bytes()).await {
            Err(error) if error.code != EXISTS => Err(error),
            _ => Ok(()),
        }
    }

    fn stream_id(&self, to: &Destination) -> Option<String> {
        let image = self.plane.image();
        let group = group::find(&image, &scope(to), &to.group).ok()?;
        Some(stream::find(&image, group, &to.stream).ok()?.id.clone())
    }
}

fn scope(to: &Destination) -> Scope {
    Scope::new(&to.account, &to.region)
}
