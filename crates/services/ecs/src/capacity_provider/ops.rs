//! The capacity provider operations.

use super::{BUILT_IN, CapacityProvider, find, key, provider_arn};
use crate::cluster::Cluster;
use crate::paging::page;
use crate::{arn, tags};
use api_ecs as api;
use api_ecs::{CapacityProviderUpdateStatus, Error, ManagedScaling};
use kernel::Call;
use store::{Image, Tx};

pub fn create_capacity_provider(
    call: &mut Call,
    tx: &mut Tx,
    input: api::CreateCapacityProviderRequest,
) -> Result<api::CreateCapacityProviderResponse, Error> {
    let name = input.name.unwrap_or_default();
    check_name(&name)?;
    if tx.get::<CapacityProvider>(key(&call.scope, &name).as_str()).is_some() {
        return Err(Error::client(
            "A capacity provider with the specified name already exists. Specify a different name and try again.",
        ));
    }
    let Some(mut group) = input.auto_scaling_group_provider else {
        return Err(Error::unsupported_feature(
            "Capacity providers other than those of an Auto Scaling group are not supported by this server yet.",
        ));
    };
    group.managed_scaling = Some(filled(group.managed_scaling.unwrap_or_default())?);
    group.managed_termination_protection.get_or_insert(api::ManagedTerminationProtection::Disabled);
    // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/enable-managed-instance-draining.html
    group.managed_draining.get_or_insert(api::ManagedDraining::Enabled);
    let tags = input.tags.unwrap_or_default();
    tags::check(&tags)?;
    let provider =
        CapacityProvider { scope: call.scope.clone(), name, auto_scaling_group_provider: Some(group), update_status: None, tags };
    refuse_shared(tx, &provider)?;
    let view = provider.view();
    tx.put(provider);
    Ok(api::CreateCapacityProviderResponse { capacity_provider: Some(view) })
}

/// An Auto Scaling group is one provider's: https://github.com/aws/containers-roadmap/issues/632
fn refuse_shared(image: &Image, provider: &CapacityProvider) -> Result<(), Error> {
    let mut others = image.prefix::<CapacityProvider>(&format!("{}/", provider.scope));
    if others.any(|other| other.auto_scaling_group() == provider.auto_scaling_group()) {
        return Err(Error::client(
            "The specified Auto Scaling group ARN is already being used by another capacity provider. Specify a unique Auto Scaling \
             group ARN and try again.",
        ));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), Error> {
    let characters =
        (1..=255).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let lower = name.to_ascii_lowercase();
    if characters && !["aws", "ecs", "fargate"].iter().any(|reserved| lower.starts_with(reserved)) {
        return Ok(());
    }
    Err(Error::invalid_parameter(
        "The specified capacity provider name is invalid. Up to 255 characters are allowed, including letters (upper and lowercase), \
         numbers, underscores, and hyphens. The name cannot be prefixed with \"aws\", \"ecs\", or \"fargate\". Specify a valid name and try again.",
    ))
}

fn filled(given: ManagedScaling) -> Result<ManagedScaling, Error> {
    let scaling = ManagedScaling {
        status: given.status.or(Some(api::ManagedScalingStatus::Disabled)),
        target_capacity: given.target_capacity.or(Some(100)),
        minimum_scaling_step_size: given.minimum_scaling_step_size.or(Some(1)),
        maximum_scaling_step_size: given.maximum_scaling_step_size.or(Some(10_000)),
        instance_warmup_period: given.instance_warmup_period.or(Some(300)),
    };
    if scaling.minimum_scaling_step_size > scaling.maximum_scaling_step_size {
        return Err(Error::invalid_parameter(
            "The minimum or maximum scaling step size value is invalid. Specify a minimum scaling step size value that is less than \
             or equal to the maximum scaling step size value and try again.",
        ));
    }
    Ok(scaling)
}

pub fn describe_capacity_providers(
    call: &mut Call,
    image: &Image,
    input: api::DescribeCapacityProvidersRequest,
) -> Result<api::DescribeCapacityProvidersResponse, Error> {
    let with_tags = input.include.iter().flatten().any(|field| *field == api::CapacityProviderField::Tags);
    let view = |provider: CapacityProvider| {
        let view = provider.view();
        api::CapacityProvider { tags: view.tags.filter(|_| with_tags).or(Some(Vec::new())), ..view }
    };
    if let Some(given) = input.capacity_providers.filter(|given| !given.is_empty()) {
        let (found, failures) = described(call, image, given)?;
        let found = found.into_iter().map(view).collect();
        return Ok(api::DescribeCapacityProvidersResponse {
            capacity_providers: Some(found),
            failures: Some(failures),
            next_token: None,
        });
    }
    let page = page(all(call, image), |provider| provider.name.clone(), input.max_results, input.next_token.as_deref())?;
    let found = page.items.into_iter().map(view).collect();
    Ok(api::DescribeCapacityProvidersResponse {
        capacity_providers: Some(found),
        failures: Some(Vec::new()),
        next_token: page.next_token,
    })
}

fn described(call: &Call, image: &Image, given: Vec<String>) -> Result<(Vec<CapacityProvider>, Vec<api::Failure>), Error> {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for one in given {
        match find(image, &call.scope, &one) {
            Ok(provider) => found.push(provider),
            Err(Error::Client { .. }) => {
                let arn = provider_arn(&call.scope, arn::name(&call.scope, "capacity-provider", &one)?);
                failures.push(api::Failure { arn: Some(arn), reason: Some("MISSING".to_owned()), detail: None });
            }
            Err(other) => return Err(other),
        }
    }
    Ok((found, failures))
}

/// By name.
fn all(call: &Call, image: &Image) -> Vec<CapacityProvider> {
    let built_in = BUILT_IN.iter().map(|name| CapacityProvider::built_in(&call.scope, name));
    let mut all: Vec<CapacityProvider> =
        built_in.chain(image.prefix::<CapacityProvider>(&format!("{}/", call.scope)).cloned()).collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

pub fn update_capacity_provider(
    call: &mut Call,
    tx: &mut Tx,
    input: api::UpdateCapacityProviderRequest,
) -> Result<api::UpdateCapacityProviderResponse, Error> {
    let mut provider = changeable(call, tx, input.name.as_deref().unwrap_or_default())?;
    if let (Some(group), Some(update)) = (&mut provider.auto_scaling_group_provider, input.auto_scaling_group_provider) {
        if let Some(scaling) = update.managed_scaling {
            group.managed_scaling = Some(filled(scaling_over(group.managed_scaling.take().unwrap_or_default(), scaling))?);
        }
        group.managed_termination_protection =
            update.managed_termination_protection.or(group.managed_termination_protection.take());
        group.managed_draining = update.managed_draining.or(group.managed_draining.take());
    }
    provider.update_status = Some(CapacityProviderUpdateStatus::UpdateComplete);
    let view = provider.view();
    tx.put(provider);
    Ok(api::UpdateCapacityProviderResponse { capacity_provider: Some(view) })
}

fn scaling_over(old: ManagedScaling, new: ManagedScaling) -> ManagedScaling {
    ManagedScaling {
        status: new.status.or(old.status),
        target_capacity: new.target_capacity.or(old.target_capacity),
        minimum_scaling_step_size: new.minimum_scaling_step_size.or(old.minimum_scaling_step_size),
        maximum_scaling_step_size: new.maximum_scaling_step_size.or(old.maximum_scaling_step_size),
        instance_warmup_period: new.instance_warmup_period.or(old.instance_warmup_period),
    }
}

pub fn delete_capacity_provider(
    call: &mut Call,
    tx: &mut Tx,
    input: api::DeleteCapacityProviderRequest,
) -> Result<api::DeleteCapacityProviderResponse, Error> {
    let provider = changeable(call, tx, input.capacity_provider.as_deref().unwrap_or_default())?;
    let prefix = format!("{}/", call.scope);
    if tx.prefix::<Cluster>(&prefix).any(|cluster| cluster.active && cluster.capacity_providers.contains(&provider.name)) {
        return Err(Error::client(
            "The specified capacity provider is in use and cannot be removed. Disassociate it from every cluster and try again.",
        ));
    }
    tx.delete::<CapacityProvider>(key(&call.scope, &provider.name).as_str());
    // It is still what it was while AWS deletes it; asked again, it is MISSING.
    let view = api::CapacityProvider { update_status: Some(CapacityProviderUpdateStatus::DeleteInProgress), ..provider.view() };
    Ok(api::DeleteCapacityProviderResponse { capacity_provider: Some(view) })
}

fn changeable(call: &Call, image: &Image, given: &str) -> Result<CapacityProvider, Error> {
    let provider = find(image, &call.scope, given)?;
    if provider.is_built_in() {
        return Err(Error::client("The specified capacity provider is reserved and cannot be changed."));
    }
    Ok(provider)
}
