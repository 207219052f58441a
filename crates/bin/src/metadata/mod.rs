//! The task metadata endpoint: how containers ask about themselves, at 169.254.170.2, which the network brings to this listener
//! on loopback. One listener for all nodes of the process: the id in the path tells the container. Reads when asked; nobody
//! asking, it does nothing.

mod asks;
mod credentials;
mod document;
mod limit;
mod protection;
mod route;
mod stats;

pub use asks::Asks;

use crate::http::body::{self, Body};
use crate::http::{self, plain};
use crate::nodes::Nodes;
use crate::sessions::Sessions;
use agent::{Known, Metadata};
use asks::Refusal;
use base::Clock;
use base::limits::METADATA_REQUESTS_PER_SECOND;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode};
use limit::Limiter;
use route::{Route, Version, Wanted};
use runtime::oci::OciRuntime;
use serde::Serialize;
use serde_json::Value;
use stats::{HostUsage, Reading, Readings};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::watch;
use workload::{ContainerPhase, NetworkMode, TaskSpec};

/// What nodes can do because this answers, as the stock agent names it.
pub const CAPABILITIES: [&str; 2] =
    ["com.amazonaws.ecs.capability.task-iam-role", "com.amazonaws.ecs.capability.task-iam-role-network-host"];
/// Largest request body that is read: a PUT of two members.
const BODY_BYTES: usize = 4096;

/// A node of this process.
pub struct Node {
    pub metadata: Metadata,
    pub runtime: Arc<OciRuntime>,
}

pub struct Endpoint {
    pub nodes: Arc<Nodes>,
    pub plane: Arc<dyn Asks>,
    pub sessions: Sessions,
    pub clock: Arc<dyn Clock>,
    limiter: Mutex<Limiter>,
    readings: Mutex<Readings>,
}

/// Before the networks that lead to it.
pub async fn bind() -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

impl Endpoint {
    pub fn new(nodes: Arc<Nodes>, plane: Arc<dyn Asks>, sessions: Sessions, clock: Arc<dyn Clock>) -> Endpoint {
        Endpoint { nodes, plane, sessions, clock, limiter: Mutex::default(), readings: Mutex::default() }
    }

    /// Until `stop` changes.
    pub async fn serve(self, listener: TcpListener, stop: watch::Receiver<bool>) {
        let endpoint = Arc::new(self);
        let answer = move |peer, request| {
            let endpoint = Arc::clone(&endpoint);
            async move { endpoint.answer(peer, request).await }
        };
        http::listen(listener, answer, stop).await;
    }

    async fn answer(&self, peer: SocketAddr, request: Request<Incoming>) -> Response<Body> {
        let (head, incoming) = request.into_parts();
        let path = head.uri.path();
        let route = route::route(path);
        let node = route.and_then(|route| self.node_of(route.id()));
        // One bucket for all paths that lead to no container, so that to make them up takes no memory.
        if !self.admits(peer, if node.is_some() { path } else { "" }) {
            return too_many();
        }
        match route {
            None => plain(StatusCode::NOT_FOUND, "404 page not found\n"),
            Some(Route::Metadata(version, id, wanted)) => match found(node, id).await {
                None => {
                    let (status, sentence) = route::not_found(version, id, wanted);
                    document(status, &sentence)
                }
                Some((node, known)) => self.metadata(version, wanted, &node, known).await,
            },
            Some(Route::Credentials(id)) => {
                let task = match node {
                    Some(node) => node.metadata.holder(id).await,
                    None => None,
                };
                let (status, answer) = credentials::answer(&self.sessions, id, task.as_deref(), self.clock.now());
                document(status, &answer)
            }
            Some(Route::Protection(id)) => {
                // Nothing is refused as what it cannot decode is.
                let body = body::read(incoming, BODY_BYTES).await.unwrap_or_default();
                let known = found(node, id).await.map(|(_, known)| known);
                let spec = known.as_ref().map(|known| &*known.spec);
                match protection::answer(&*self.plane, spec, &head.method, &body).await {
                    Some((status, answer)) => document(status, &answer),
                    None => plain(StatusCode::METHOD_NOT_ALLOWED, ""),
                }
            }
        }
    }

    fn node_of(&self, id: &str) -> Option<Node> {
        self.nodes.asked().into_iter().find(|node| node.metadata.drew(id))
    }

    fn admits(&self, peer: SocketAddr, path: &str) -> bool {
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        limiter.admits(peer.ip(), path, self.clock.now())
    }

    async fn metadata(&self, version: Version, wanted: Wanted, node: &Node, known: Known) -> Response<Body> {
        let Known { spec, status, container } = &known;
        match wanted {
            Wanted::Container => {
                let (declared, seen) = (&spec.containers[*container], &status.containers[*container]);
                document(StatusCode::OK, &document::container(version, spec, status, declared, seen))
            }
            Wanted::Task => document(StatusCode::OK, &document::task(version, spec, status)),
            Wanted::TaskWithTags => {
                let mut task = document::task(version, spec, status);
                self.add_tags(spec, &mut task).await;
                document(StatusCode::OK, &task)
            }
            Wanted::Stats => match self.stats(node, known, true).await {
                Some(Value::Object(one)) if !one.is_empty() => document(StatusCode::OK, &one.into_iter().next().map(|(_, v)| v)),
                _ => document(StatusCode::INTERNAL_SERVER_ERROR, "failed to get stats"),
            },
            Wanted::TaskStats => match self.stats(node, known, false).await {
                Some(all) => document(StatusCode::OK, &all),
                None => document(StatusCode::INTERNAL_SERVER_ERROR, "failed to get stats"),
            },
        }
    }

    /// What could not be asked is said in the document, as the stock agent does.
    async fn add_tags(&self, spec: &TaskSpec, task: &mut document::Task) {
        match asks::tags(&*self.plane, spec, &spec.arn).await {
            Ok(tags) => task.task_tags = tags,
            Err(refusal) => task.errors.push(failure("TaskTags", &spec.arn, refusal)),
        }
        let instance = match asks::container_instance(&*self.plane, spec).await {
            Ok(Some(instance)) => instance,
            Ok(None) => return,
            Err(refusal) => return task.errors.push(failure("ContainerInstanceTags", "", refusal)),
        };
        match asks::tags(&*self.plane, spec, &instance).await {
            Ok(tags) => task.container_instance_tags = tags,
            Err(refusal) => task.errors.push(failure("ContainerInstanceTags", &instance, refusal)),
        }
    }

    /// By container, of those that run.
    async fn stats(&self, node: &Node, known: Known, only_asker: bool) -> Option<Value> {
        let (runtime, at) = (Arc::clone(&node.runtime), self.clock.now());
        let read = tokio::task::spawn_blocking(move || {
            let readings = read(&runtime, &known, only_asker, at);
            (known, readings)
        });
        let (known, readings) = read.await.ok()?;
        let networked = known.spec.network_mode != NetworkMode::Host;
        let mut kept = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        let documents = readings.into_iter().map(|(index, runtime_id, now)| {
            let name = document::docker_name(&known.spec, &known.spec.containers[index], &known.status.containers[index]);
            let before = kept.replace(&runtime_id, now.clone());
            let document = stats::document(&name, &runtime_id, &now, before.as_ref(), networked);
            (runtime_id, document)
        });
        Some(Value::Object(documents.collect()))
    }
}

async fn found(node: Option<Node>, id: &str) -> Option<(Node, Known)> {
    let node = node?;
    let known = node.metadata.about(id).await?;
    Some((node, known))
}

fn read(runtime: &OciRuntime, known: &Known, only_asker: bool, at: base::Time) -> Vec<(usize, String, Reading)> {
    let host = HostUsage::read();
    let wanted = |index: &usize| {
        let runs = known.status.containers[*index].phase == ContainerPhase::Running;
        if only_asker { *index == known.container } else { runs }
    };
    let read = (0..known.status.containers.len()).filter(wanted).filter_map(|index| {
        let runtime_id = known.status.containers[index].runtime_id.clone()?;
        let usage = runtime.usage(&known.spec.id, &runtime_id)?;
        Some((index, runtime_id, Reading { at, usage, host }))
    });
    read.collect()
}

fn failure(error_field: &'static str, resource_arn: &str, Refusal { error, .. }: Refusal) -> document::Failure {
    document::Failure {
        error_field,
        error_code: error.code,
        error_message: error.message,
        status_code: error.status,
        resource_arn: resource_arn.to_owned(),
    }
}

fn document(status: StatusCode, document: &(impl Serialize + ?Sized)) -> Response<Body> {
    let mut response = Response::new(body::full(serde_json::to_vec(document).unwrap_or_default()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Word for word what the stock agent's limiter says.
fn too_many() -> Response<Body> {
    let mut response = plain(StatusCode::TOO_MANY_REQUESTS, "You have reached maximum request limit.");
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    let limit = HeaderValue::from_str(&format!("{METADATA_REQUESTS_PER_SECOND}.00")).expect("digits and a dot");
    headers.insert("X-Rate-Limit-Limit", limit);
    headers.insert("X-Rate-Limit-Duration", HeaderValue::from_static("1"));
    response
}
