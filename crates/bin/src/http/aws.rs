//! An AWS API request: authenticated, routed, run, answered in its protocol.

use super::body::{self, Body, ReadError};
use crate::compose::Server;
use crate::keys::Signer;
use base::{Rng, limits};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Request, Response};
use kernel::plane::{Reply, Who};
use std::sync::Arc;
use wire::route::{self, Route};
use wire::{Error, Protocol};

pub async fn answer(server: &Arc<Server>, request: Request<Incoming>) -> Response<Body> {
    let request_id = Rng::from_os().uuid();
    let (protocol, result) = run(server, request, &request_id).await;
    match result {
        Ok(Reply::Whole(bytes)) => wire::response(protocol, &request_id, bytes).map(body::full),
        Ok(Reply::Stream(events)) => wire::stream_response(&request_id, body::events(events)),
        Err(error) => wire::error_response(protocol, &request_id, &error).map(body::full),
    }
}

async fn run(server: &Server, request: Request<Incoming>, request_id: &str) -> (Protocol, Result<Reply, Error>) {
    let (head, incoming) = request.into_parts();
    let body = match body::read(incoming, limits::REQUEST_BODY_BYTES).await {
        Ok(body) => body,
        Err(ReadError::TooLarge) => return (Protocol::AwsJson11, Err(Error::request_too_large())),
        Err(ReadError::Broken) => return (Protocol::AwsJson11, Err(Error::serialization("The request body broke off."))),
    };
    let models = server.plane.services().models();
    let target = match route::route(&models, &head) {
        Ok(target) => target,
        Err(unrouted) => return (unrouted.protocol, Err(unrouted.error)),
    };
    (target.model.protocol, call(server, &head, target, request_id, &body).await)
}

async fn call(server: &Server, head: &Parts, target: Route, request_id: &str, body: &[u8]) -> Result<Reply, Error> {
    let now = server.plane.clock().now();
    let Signer { identity, scope, caller, .. } = server.keys.verify(head, body, now)?;
    identity.must_be_for(target.model)?;
    let who = Who { scope, caller, request_id: request_id.to_owned() };
    server.plane.answer(target.model, target.operation.name, who, body).await
}
