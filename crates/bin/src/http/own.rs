//! Slipway's own endpoints, under `/_slipway/`, for its command line: what AWS has no API for. Signed as AWS requests are,
//! for the service name `slipway`.

mod events;
mod meant;
mod nodes;
mod stats;
mod tasks;

use super::body::{self, Body};
use super::{plain, pulls};
use crate::compose::Server;
use crate::logs::{self, Line};
use base::Scope;
use bytes::Bytes;
use ecs::service::standing;
use ecs::task::{self, Task};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use meant::{Meant, meant};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::sync::{broadcast, mpsc, watch};

type Answer = Result<Response<Body>, Refusal>;

struct Refusal(StatusCode, String);

fn refused<T>(status: StatusCode, why: impl ToString) -> Result<T, Refusal> {
    Err(Refusal(status, why.to_string()))
}

pub async fn answer(server: &Arc<Server>, path: &str, request: Request<Incoming>) -> Response<Body> {
    if path == "health" {
        return json(&json!({ "version": env!("CARGO_PKG_VERSION") }));
    }
    let (head, body) = request.into_parts();
    let scope = match server.keys.verify(&head, &[], server.plane.clock().now()) {
        Ok(signer) if signer.is_task => return plain(StatusCode::FORBIDDEN, "tasks have no say over their server"),
        Ok(signer) if signer.identity.service == "slipway" => signer.scope,
        Ok(signer) => return plain(StatusCode::FORBIDDEN, format!("signed for {}, not for slipway", signer.identity.service)),
        Err(error) => return plain(StatusCode::FORBIDDEN, error.to_string()),
    };
    let query = parameters(head.uri.query().unwrap_or_default());
    let (verb, rest) = path.split_once('/').unwrap_or((path, ""));
    let result = match (head.method.as_str(), verb) {
        ("GET", "images") => list(server).await,
        ("POST", "images") => load(server, body).await,
        ("POST", "pull") => Ok(pulls::pull(server, rest.to_owned())),
        ("GET", "pulls") => Ok(pulls::watch(server)),
        ("GET", "logs") => logs_of(server, &scope, rest, &query),
        ("GET", "tasks") => tasks::list(server, &scope, &query),
        ("GET", "describe") => describe(server, &scope, &query),
        ("GET", "events") => events::stream(server, &scope, &query),
        ("GET", "explain") => explain(server, &scope, &query),
        ("GET", "stats") => stats::watch(server, &scope, rest),
        ("GET", "watch") => watch_task(server, &scope, rest),
        ("GET", "nodes") => nodes::list(server, &scope),
        ("POST", "nodes") => nodes::switch(server, &scope, rest).await,
        ("POST", "kill") => kill(server, &scope, rest).await,
        _ => refused(StatusCode::NOT_FOUND, "no such endpoint"),
    };
    result.unwrap_or_else(|Refusal(status, why)| plain(status, why))
}

/// Forgets every row of every account. Exists behind a flag, for test suites.
pub async fn reset(server: &Arc<Server>) -> Response<Body> {
    match server.plane.reset().await {
        Ok(()) => json(&json!({ "status": "ok" })),
        Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn json(value: &impl serde::Serialize) -> Response<Body> {
    Response::new(body::full(serde_json::to_vec(value).unwrap_or_default()))
}

fn parameters(query: &str) -> BTreeMap<&str, &str> {
    query.split('&').filter_map(|pair| pair.split_once('=')).collect()
}

async fn list(server: &Server) -> Answer {
    let images = server.images().await;
    images.map(|images| json(&images)).map_err(|error| Refusal(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")))
}

async fn load(server: &Server, mut incoming: Incoming) -> Answer {
    let failed = |error: &dyn std::fmt::Display| Refusal(StatusCode::BAD_REQUEST, error.to_string());
    let file = match receive(server, &mut incoming).await {
        Ok(file) => file,
        Err(error) => {
            body::discard(incoming).await;
            return Err(failed(&error));
        }
    };
    let loaded = server.load_image(file.path()).await.map_err(|error| failed(&error))?;
    Ok(json(&loaded))
}

async fn receive(server: &Server, incoming: &mut Incoming) -> std::io::Result<tempfile::NamedTempFile> {
    let directory = server.config.data_dir.join("tmp");
    tokio::fs::create_dir_all(&directory).await?;
    let file = tempfile::NamedTempFile::new_in(directory)?;
    let mut writer = tokio::fs::File::from_std(file.reopen()?);
    while let Some(frame) = incoming.frame().await {
        let data = frame.map_err(std::io::Error::other)?.into_data().unwrap_or_default();
        writer.write_all(&data).await?;
    }
    writer.flush().await?;
    Ok(file)
}

fn describe(server: &Server, scope: &Scope, query: &BTreeMap<&str, &str>) -> Answer {
    let image = server.plane.image();
    match meant(&image, scope, query)? {
        Meant::Task(id) => tasks::describe(server, scope, id),
        Meant::Service(service) => Ok(json(&standing(&image, service, server.plane.clock().now()))),
    }
}

/// Of a definition, or of what is there already.
fn explain(server: &Server, scope: &Scope, query: &BTreeMap<&str, &str>) -> Answer {
    if query.contains_key("task-definition") {
        return tasks::explain_definition(server, scope, query);
    }
    let image = server.plane.image();
    match meant(&image, scope, query)? {
        Meant::Task(id) => tasks::explain_task(server, scope, id),
        Meant::Service(service) => Ok(json(&standing(&image, service, server.plane.clock().now()))),
    }
}

/// A task of the caller's account by its id or one end of it.
fn find(server: &Server, scope: &Scope, id: &str) -> Result<Task, Refusal> {
    let image = server.plane.image();
    let found = image.scan::<Task>().filter(|task| task.scope.account == scope.account && task::is_meant(&task.id, id));
    one(found, id).cloned()
}

/// The one that is meant by one end of its id.
fn one<T>(mut found: impl Iterator<Item = T>, id: &str) -> Result<T, Refusal> {
    match (found.next(), found.next()) {
        (Some(found), None) => Ok(found),
        (Some(_), Some(_)) => refused(StatusCode::BAD_REQUEST, format!("more than one task begins or ends with {id}")),
        (None, _) => refused(StatusCode::NOT_FOUND, format!("no task {id}")),
    }
}

fn logs_of(server: &Arc<Server>, scope: &Scope, id: &str, query: &BTreeMap<&str, &str>) -> Answer {
    let task = find(server, scope, id)?;
    let wanted = query.get("containers").copied().unwrap_or_default();
    let containers: Vec<String> = wanted.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let ended = (query.get("follow") == Some(&"1")).then(|| ended(server, &task));
    let directory = server.config.data_dir.join("logs").join(&task.id);
    let (bytes, body) = body::streamed();
    let (sender, lines) = mpsc::channel(256);
    tokio::spawn(encode(lines, bytes));
    tokio::spawn(async move {
        if let Err(error) = logs::send(&directory, &containers, ended, &sender).await {
            tracing::warn!(%error, directory = %directory.display(), "logs could not be read");
        }
    });
    Ok(Response::new(body))
}

async fn encode(mut lines: mpsc::Receiver<Line>, bytes: mpsc::Sender<Bytes>) {
    while let Some(line) = lines.recv().await {
        if bytes.send(document(&line)).await.is_err() {
            return;
        }
    }
}

fn document(value: &impl serde::Serialize) -> Bytes {
    let mut text = serde_json::to_vec(value).unwrap_or_default();
    text.push(b'\n');
    text.into()
}

/// Says true once the task is STOPPED or its row is gone.
fn ended(server: &Arc<Server>, task: &Task) -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    let (server, key) = (Arc::clone(server), store::Record::key(task));
    tokio::spawn(async move {
        let mut feed = server.plane.feed();
        while server.plane.image().get::<Task>(key.as_str()).is_some_and(|task| !task.is_stopped()) {
            if matches!(feed.recv().await, Err(broadcast::error::RecvError::Closed)) {
                return;
            }
        }
        let _ = sender.send(true);
    });
    receiver
}

/// The task as DescribeTasks shows it, at once and after each change, until it is STOPPED.
fn watch_task(server: &Arc<Server>, scope: &Scope, id: &str) -> Answer {
    let key = store::Record::key(&find(server, scope, id)?);
    let (bytes, body) = body::streamed();
    let server = Arc::clone(server);
    tokio::spawn(async move {
        let mut feed = server.plane.feed();
        loop {
            let image = server.plane.image();
            let Some(task) = image.get::<Task>(key.as_str()) else { return };
            if bytes.send(document(&ecs::task::view::view(task, &image))).await.is_err() || task.is_stopped() {
                return;
            }
            if !changed(&mut feed, &key).await {
                return;
            }
        }
    });
    Ok(Response::new(body))
}

/// `false` when the server ends.
async fn changed(feed: &mut broadcast::Receiver<Arc<Vec<store::Change>>>, key: &store::Key) -> bool {
    loop {
        match feed.recv().await {
            Ok(changes) if changes.iter().any(|change| change.key == *key) => return true,
            Ok(_) => {}
            // Fell behind: whatever was missed, the image has it.
            Err(broadcast::error::RecvError::Lagged(_)) => return true,
            Err(broadcast::error::RecvError::Closed) => return false,
        }
    }
}

async fn kill(server: &Server, scope: &Scope, id: &str) -> Answer {
    let task = find(server, scope, id)?;
    server.kill(&task).await;
    Ok(plain(StatusCode::OK, "killed"))
}
