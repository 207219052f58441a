//! From what is to be launched and what the caller wishes to where it goes: what RunTask and the service scheduler ask of
//! placement in the same words.

use super::capacity::Share;
use super::launch::{Launch, Spot};
use crate::capacity_provider::{self, CapacityProvider};
use crate::cluster::Cluster;
use crate::placement::{self, Fleet, Reason, Request, Strategy, fleet, request};
use api_ecs as api;
use kernel::Call;
use store::Image;

pub fn request(
    launch: &Launch,
    share: &Share,
    constraints: Option<&[api::PlacementConstraint]>,
    strategies: Vec<Strategy>,
) -> Result<Request, api::Error> {
    launch.check(share)?;
    let constraints = constraints.filter(|list| !list.is_empty());
    if share.is_fargate() && constraints.is_some() {
        return Err(api::Error::invalid_parameter("Placement constraints are not supported with FARGATE launch type."));
    }
    Ok(Request {
        claim: launch.claim.clone(),
        gpus: launch.gpus(),
        attributes: launch.wanted(share),
        rules: if share.is_fargate() { Vec::new() } else { request::rules(&launch.definition.definition, constraints)? },
        strategies,
        group_key: launch.group_key(),
        count: share.count,
    })
}

/// Where the share's tasks may be. That there is nothing at all is for the caller to say: see `nowhere`.
pub fn fleet<'a>(image: &'a Image, cluster: &Cluster, share: &Share, request: &Request) -> Box<dyn Fleet + 'a> {
    if share.is_fargate() {
        return Box::new(fleet::nodes(image, request));
    }
    Box::new(fleet::instances(image, cluster, provider(image, cluster, share), request))
}

/// Whose instances alone will do.
pub fn provider<'a>(image: &'a Image, cluster: &Cluster, share: &Share) -> Option<&'a CapacityProvider> {
    image.get(capacity_provider::key(&cluster.scope, share.capacity_provider.as_ref()?).as_str())
}

/// Said of a fleet without anybody.
pub fn nowhere(share: &Share) -> &'static str {
    match share.capacity_provider {
        Some(_) => "No Container Instances were found in your capacity provider.",
        None => "No Container Instances were found in your cluster.",
    }
}

/// A spot a task, as far as there are any, and who could take no further one: its container instance, if it is one.
pub fn spots(call: &mut Call, fleet: &dyn Fleet, request: &Request) -> (Vec<Spot>, Vec<(Option<String>, Reason)>) {
    let placement = placement::place(request, fleet, &mut call.rng);
    let spots = placement.chosen.iter().map(|chosen| Spot::of(&fleet.candidate(*chosen))).collect();
    let id = |at: usize| fleet.candidate(at).instance.map(|instance| instance.id.clone());
    (spots, placement.rejected.iter().map(|(at, why)| (id(*at), *why)).collect())
}
