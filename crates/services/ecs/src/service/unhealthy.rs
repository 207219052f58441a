//! Which unhealthy tasks have somebody in their place: each is said to be replaced once, when its replacement is started,
//! whether that is before it is stopped or after.

use super::Service;
use crate::task::{self, Task};
use store::{Record, Tx};

/// How many of the tasks that were started replace an unhealthy one: first those that are gone, then `waiting`.
pub fn replace(tx: &mut Tx, service: &mut Service, started: usize, waiting: &[String]) -> usize {
    let gone = started.min(service.unhealthy_gone);
    if gone > 0 {
        service.unhealthy_gone -= gone;
        tx.put(service.clone());
    }
    let now = &waiting[..waiting.len().min(started - gone)];
    for id in now {
        let key = task::key(&service.scope, &service.cluster, id);
        tx.update::<Task>(key.as_str(), |task| task.member.iter_mut().for_each(|member| member.is_replaced = true));
    }
    gone + now.len()
}

/// These are stopped for their health.
pub fn stopped<'a>(tx: &mut Tx, service: &Service, ids: impl Iterator<Item = &'a str>) {
    let is_replaced = |id: &str| {
        let task = tx.get::<Task>(task::key(&service.scope, &service.cluster, id).as_str());
        task.and_then(|task| task.member.as_ref()).is_none_or(|member| member.is_replaced)
    };
    let gone = ids.filter(|id| !is_replaced(id)).count();
    if gone > 0 {
        tx.update::<Service>(service.key().as_str(), |service| service.unhealthy_gone += gone);
    }
}
