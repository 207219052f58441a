//! From a request's head to the service and operation it is for: by `X-Amz-Target`, otherwise by the service its signature
//! names. Which services there are is handed in.

use crate::model::OperationModel;
use crate::{Error, Model, Protocol, sigv4};
use http::Method;
use http::request::Parts;

#[derive(Clone, Copy)]
pub struct Route {
    pub model: &'static Model,
    pub operation: &'static OperationModel,
}

/// An error, and the protocol to render it in: without a route nobody else knows.
#[derive(Debug)]
pub struct Unrouted {
    pub protocol: Protocol,
    pub error: Error,
}

pub fn route(models: &[&'static Model], head: &Parts) -> Result<Route, Unrouted> {
    match head.headers.get("x-amz-target").map(|target| target.to_str().unwrap_or_default()) {
        Some(target) => by_target(models, head, target),
        None => Err(by_signature(models, head)),
    }
}

fn by_target(models: &[&'static Model], head: &Parts, target: &str) -> Result<Route, Unrouted> {
    let (prefix, name) = target.rsplit_once('.').unwrap_or(("", target));
    let Some(model) = models.iter().find(|model| model.target_prefix == Some(prefix)) else {
        return Err(Unrouted { protocol: Protocol::AwsJson11, error: unknown(format!("Unknown target {target}")) });
    };
    match model.operation(name).filter(|_| head.method == Method::POST) {
        Some(operation) => Ok(Route { model, operation }),
        None => Err(Unrouted { protocol: model.protocol, error: unknown(format!("Unknown operation {name}")) }),
    }
}

/// Services without targets speak protocols that are not here yet; the signature tells which it would have been.
fn by_signature(models: &[&'static Model], head: &Parts) -> Unrouted {
    let scope = sigv4::scope(head);
    let model = scope.and_then(|scope| models.iter().find(|model| model.signing_name == scope.service));
    match model {
        Some(model) if model.target_prefix.is_none() => {
            Unrouted { protocol: model.protocol, error: crate::protocol::unspoken(model.protocol) }
        }
        Some(model) => Unrouted { protocol: model.protocol, error: unknown("The request has no X-Amz-Target".to_owned()) },
        None => Unrouted { protocol: Protocol::AwsJson11, error: unknown("The request names no known service".to_owned()) },
    }
}

fn unknown(message: String) -> Error {
    Error::unknown_operation(message)
}
