//! What a name on the command line means: a task by its id, one end of it or its ARN, or a service by its name or its ARN.

use super::{Refusal, refused};
use base::{Arn, Scope};
use ecs::service::Service;
use ecs::task::history;
use hyper::StatusCode;
use std::collections::BTreeMap;
use store::Image;

#[derive(Debug)]
pub enum Meant<'a> {
    Task(&'a str),
    Service(&'a Service),
}

/// `name`, and `cluster` for a service if several clusters have one of the name.
pub fn meant<'a>(image: &'a Image, scope: &Scope, query: &BTreeMap<&str, &'a str>) -> Result<Meant<'a>, Refusal> {
    let given = query.get("name").copied().unwrap_or_default();
    let arn: Option<Arn> = given.parse().ok();
    let id = given.rsplit('/').next().unwrap_or(given);
    let services = match &arn {
        Some(arn) if arn.kind() == "service" => named(image, scope, |service| service.arn() == given),
        Some(_) => return Ok(Meant::Task(id)),
        None => {
            let cluster = query.get("cluster").copied().filter(|cluster| !cluster.is_empty());
            named(image, scope, |service| service.name == given && cluster.is_none_or(|name| service.cluster == name))
        }
    };
    let is_task = arn.is_none() && is_hexadecimal(id) && history::find(image, &scope.account, id).next().is_some();
    match services[..] {
        [_, ..] if is_task => refused(
            StatusCode::BAD_REQUEST,
            format!("{given} is a service, and a task begins or ends with it: the ARN says which"),
        ),
        [service] => Ok(Meant::Service(service)),
        [] if arn.is_none() && is_hexadecimal(id) => Ok(Meant::Task(id)),
        [] => refused(StatusCode::NOT_FOUND, format!("no task and no service {given}")),
        _ => refused(StatusCode::BAD_REQUEST, format!("more than one cluster has a service {given}: --cluster says which")),
    }
}

/// The account's services that are so.
fn named<'a>(image: &'a Image, scope: &Scope, is: impl Fn(&Service) -> bool) -> Vec<&'a Service> {
    image.scan::<Service>().filter(|service| service.scope.account == scope.account && is(service)).collect()
}

/// As ids of tasks are.
fn is_hexadecimal(id: &str) -> bool {
    !id.is_empty() && id.len() <= 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}
