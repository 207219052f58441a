//! Which capacity providers a cluster may have, and what a strategy over them must look like.

use crate::capacity_provider;
use api_ecs::{CapacityProviderStrategyItem, Error};
use base::Scope;
use store::Image;

/// Names of the providers that names or ARNs mean; each must exist.
pub fn providers(image: &Image, scope: &Scope, given: Vec<String>) -> Result<Vec<String>, Error> {
    if given.len() > 20 {
        return Err(Error::invalid_parameter("A cluster can have at most 20 capacity providers."));
    }
    given.iter().map(|one| Ok(capacity_provider::find(image, scope, one)?.name)).collect()
}

/// The strategy with its defaults, if it may be one over `providers`.
pub fn checked(
    strategy: Vec<CapacityProviderStrategyItem>,
    providers: &[String],
) -> Result<Vec<CapacityProviderStrategyItem>, Error> {
    if strategy.len() > 20 {
        return Err(Error::invalid_parameter("A capacity provider strategy can have at most 20 capacity providers."));
    }
    let foreign =
        |item: &CapacityProviderStrategyItem| !item.capacity_provider.as_ref().is_some_and(|name| providers.contains(name));
    if strategy.iter().any(foreign) {
        return Err(Error::invalid_parameter(
            "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. \
             Associate the capacity provider with the cluster or specify a valid capacity provider and try again.",
        ));
    }
    refuse_mix(&strategy)?;
    if strategy.iter().filter(|item| item.base.unwrap_or(0) > 0).count() > 1 {
        return Err(Error::invalid_parameter(
            "The specified capacity provider strategy contains multiple capacity providers with a base value defined. \
             Only one capacity provider per strategy can have a base value defined.",
        ));
    }
    Ok(strategy.into_iter().map(filled).collect())
}

/// A cluster may have both, a strategy not.
pub fn refuse_mix(strategy: &[CapacityProviderStrategyItem]) -> Result<(), Error> {
    let is_fargate =
        |item: &CapacityProviderStrategyItem| matches!(item.capacity_provider.as_deref(), Some("FARGATE" | "FARGATE_SPOT"));
    if strategy.iter().any(is_fargate) && !strategy.iter().all(is_fargate) {
        return Err(Error::invalid_parameter(
            "A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and Fargate \
             providers. Specify one or the other and try again.",
        ));
    }
    Ok(())
}

fn filled(item: CapacityProviderStrategyItem) -> CapacityProviderStrategyItem {
    CapacityProviderStrategyItem { weight: item.weight.or(Some(0)), base: item.base.or(Some(0)), ..item }
}
