//! The cluster operations.

use super::{ACTIVE, Cluster, DEFAULT, find, key, strategy, view};
use crate::container_instance::ContainerInstance;
use crate::paging::page;
use crate::service::{self, Service};
use crate::task::Task;
use crate::{arn, settings, tags};
use api_ecs as api;
use api_ecs::{ClusterSetting, Error, ExecuteCommandLogging};
use base::limits::CLUSTERS_PER_ACCOUNT;
use kernel::Call;
use store::{Image, Tx};

/// Answers the cluster of that name, whether it made it or found it ACTIVE.
pub fn create_cluster(
    call: &mut Call,
    tx: &mut Tx,
    input: api::CreateClusterRequest,
) -> Result<api::CreateClusterResponse, Error> {
    let name = input.cluster_name.as_deref().filter(|name| !name.is_empty()).unwrap_or(DEFAULT).to_owned();
    if !super::is_name(&name) {
        return Err(Error::invalid_parameter("ClusterName must match ^[a-zA-Z0-9\\-_]{1,255}$"));
    }
    if let Some(existing) = tx.get::<Cluster>(key(&call.scope, &name).as_str()).filter(|cluster| cluster.active) {
        return Ok(api::CreateClusterResponse { cluster: Some(view::changed(existing, tx)) });
    }
    refuse_another(tx, call)?;
    let mut cluster = Cluster::new(&call.scope, &name);
    cluster.tags = input.tags.unwrap_or_default();
    tags::check(&cluster.tags)?;
    cluster.settings = vec![container_insights(settings::value(tx, call, "containerInsights"))];
    merge_settings(&mut cluster, input.settings.unwrap_or_default())?;
    cluster.configuration = input.configuration.map(configuration).transpose()?;
    cluster.service_connect_defaults = input.service_connect_defaults.map(service_connect_defaults);
    cluster.capacity_providers = strategy::providers(tx, &call.scope, input.capacity_providers.unwrap_or_default())?;
    cluster.default_capacity_provider_strategy =
        strategy::checked(input.default_capacity_provider_strategy.unwrap_or_default(), &cluster.capacity_providers)?;
    let cluster_view = view::changed(&cluster, tx);
    tx.put(cluster);
    Ok(api::CreateClusterResponse { cluster: Some(cluster_view) })
}

/// Of an account that has as many clusters in the region as it may.
fn refuse_another(image: &Image, call: &Call) -> Result<(), Error> {
    if image.count_by::<Cluster>(ACTIVE, &call.scope) < CLUSTERS_PER_ACCOUNT {
        return Ok(());
    }
    let sentence = format!("You've reached the limit on the number of clusters, which is {CLUSTERS_PER_ACCOUNT}.");
    Err(Error::client(sentence))
}

fn container_insights(value: String) -> ClusterSetting {
    ClusterSetting { name: Some(api::ClusterSettingName::ContainerInsights), value: Some(value) }
}

fn merge_settings(cluster: &mut Cluster, given: Vec<ClusterSetting>) -> Result<(), Error> {
    for setting in given {
        let value = setting.value.as_deref().unwrap_or_default();
        if !["enabled", "disabled", "enhanced"].contains(&value) {
            return Err(Error::invalid_parameter(format!(
                "Invalid value '{value}' for containerInsights: should be one of [enhanced,enabled,disabled]"
            )));
        }
        match cluster.settings.iter_mut().find(|existing| existing.name == setting.name) {
            Some(existing) => *existing = setting,
            None => cluster.settings.push(setting),
        }
    }
    Ok(())
}

fn configuration(given: api::ClusterConfiguration) -> Result<api::ClusterConfiguration, Error> {
    let Some(execute) = &given.execute_command_configuration else { return Ok(given) };
    let overriding = execute.logging == Some(ExecuteCommandLogging::Override);
    let log = execute.log_configuration.as_ref();
    if log.is_some() && !overriding {
        return Err(Error::invalid_parameter("You must set logging to 'OVERRIDE' when you supply a log configuration."));
    }
    if overriding && !log.is_some_and(|log| log.cloud_watch_log_group_name.is_some() || log.s3_bucket_name.is_some()) {
        return Err(Error::invalid_parameter(
            "A CloudWatch log group name or S3 bucket name must be specified when overriding the default log configuration.",
        ));
    }
    Ok(given)
}

fn service_connect_defaults(given: api::ClusterServiceConnectDefaultsRequest) -> api::ClusterServiceConnectDefaults {
    api::ClusterServiceConnectDefaults { namespace: given.namespace }
}

pub fn describe_clusters(
    call: &mut Call,
    image: &Image,
    input: api::DescribeClustersRequest,
) -> Result<api::DescribeClustersResponse, Error> {
    let given = input.clusters.filter(|clusters| !clusters.is_empty()).unwrap_or_else(|| vec![DEFAULT.to_owned()]);
    if given.len() > 100 {
        return Err(Error::invalid_parameter("Clusters cannot have more than 100 elements."));
    }
    let include = input.include.unwrap_or_default();
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    for one in given {
        let name = arn::name(&call.scope, "cluster", &one)?;
        match image.get::<Cluster>(key(&call.scope, name).as_str()) {
            Some(cluster) => clusters.push(view::view(cluster, image, &include)),
            None => failures.push(missing(super::arn(&call.scope, name))),
        }
    }
    Ok(api::DescribeClustersResponse { clusters: Some(clusters), failures: Some(failures) })
}

fn missing(arn: String) -> api::Failure {
    api::Failure { arn: Some(arn), reason: Some("MISSING".to_owned()), detail: None }
}

pub fn list_clusters(
    call: &mut Call,
    image: &Image,
    input: api::ListClustersRequest,
) -> Result<api::ListClustersResponse, Error> {
    let prefix = format!("{}/", call.scope);
    let active = image.prefix::<Cluster>(&prefix).filter(|cluster| cluster.active);
    let page = page(active, |cluster| cluster.name.clone(), input.max_results, input.next_token.as_deref())?;
    let arns = page.items.into_iter().map(Cluster::arn).collect();
    Ok(api::ListClustersResponse { cluster_arns: Some(arns), next_token: page.next_token })
}

pub fn update_cluster(
    call: &mut Call,
    tx: &mut Tx,
    input: api::UpdateClusterRequest,
) -> Result<api::UpdateClusterResponse, Error> {
    let mut cluster = find(tx, &call.scope, input.cluster.as_deref())?.clone();
    merge_settings(&mut cluster, input.settings.unwrap_or_default())?;
    if let Some(given) = input.configuration {
        cluster.configuration = Some(configuration(given)?);
    }
    if let Some(given) = input.service_connect_defaults {
        cluster.service_connect_defaults = Some(service_connect_defaults(given));
    }
    Ok(api::UpdateClusterResponse { cluster: Some(put(tx, cluster)) })
}

pub fn update_cluster_settings(
    call: &mut Call,
    tx: &mut Tx,
    input: api::UpdateClusterSettingsRequest,
) -> Result<api::UpdateClusterSettingsResponse, Error> {
    let mut cluster = find(tx, &call.scope, input.cluster.as_deref())?.clone();
    merge_settings(&mut cluster, input.settings.unwrap_or_default())?;
    Ok(api::UpdateClusterSettingsResponse { cluster: Some(put(tx, cluster)) })
}

/// Both lists replace what the cluster had.
pub fn put_cluster_capacity_providers(
    call: &mut Call,
    tx: &mut Tx,
    input: api::PutClusterCapacityProvidersRequest,
) -> Result<api::PutClusterCapacityProvidersResponse, Error> {
    let mut cluster = find(tx, &call.scope, input.cluster.as_deref())?.clone();
    let providers = strategy::providers(tx, &call.scope, input.capacity_providers.unwrap_or_default())?;
    refuse_used(tx, &cluster, &providers)?;
    cluster.capacity_providers = providers;
    cluster.default_capacity_provider_strategy =
        strategy::checked(input.default_capacity_provider_strategy.unwrap_or_default(), &cluster.capacity_providers)?;
    let cluster_view = view::attached(&cluster, tx);
    tx.put(cluster);
    Ok(api::PutClusterCapacityProvidersResponse { cluster: Some(cluster_view) })
}

/// A provider stays as long as a task is on it, or a service's next one may go to it.
fn refuse_used(image: &Image, cluster: &Cluster, providers: &[String]) -> Result<(), Error> {
    let gone: Vec<&String> = cluster.capacity_providers.iter().filter(|name| !providers.contains(name)).collect();
    let has = |task: &Task| !task.is_stopped() && task.capacity_provider.as_ref().is_some_and(|name| gone.contains(&name));
    let names =
        |item: &api::CapacityProviderStrategyItem| item.capacity_provider.as_ref().is_some_and(|name| gone.contains(&name));
    let may_have = |service: &Service| {
        service.status == service::Status::Active && service.spec.capacity_provider_strategy.iter().flatten().any(names)
    };
    let prefix = format!("{}/{}/", cluster.scope, cluster.name);
    let is_used = || image.prefix::<Task>(&prefix).any(has) || image.prefix::<Service>(&prefix).any(may_have);
    if !gone.is_empty() && is_used() {
        return Err(Error::resource_in_use("The specified capacity provider is in use and cannot be removed."));
    }
    Ok(())
}

pub fn delete_cluster(
    call: &mut Call,
    tx: &mut Tx,
    input: api::DeleteClusterRequest,
) -> Result<api::DeleteClusterResponse, Error> {
    let mut cluster = find(tx, &call.scope, input.cluster.as_deref())?.clone();
    let prefix = format!("{}/{}/", cluster.scope, cluster.name);
    if tx.prefix::<ContainerInstance>(&prefix).next().is_some() {
        let sentence = "The Cluster cannot be deleted while Container Instances are active or draining.";
        return Err(Error::cluster_contains_container_instances(sentence));
    }
    if tx.prefix::<Service>(&prefix).any(|service| service.status != service::Status::Inactive) {
        return Err(Error::cluster_contains_services("The Cluster cannot be deleted while Services are active."));
    }
    if tx.prefix::<Task>(&prefix).any(|task| !task.is_stopped()) {
        return Err(Error::cluster_contains_tasks("The Cluster cannot be deleted while Tasks are active."));
    }
    cluster.active = false;
    Ok(api::DeleteClusterResponse { cluster: Some(put(tx, cluster)) })
}

fn put(tx: &mut Tx, cluster: Cluster) -> api::Cluster {
    let view = view::changed(&cluster, tx);
    tx.put(cluster);
    view
}
