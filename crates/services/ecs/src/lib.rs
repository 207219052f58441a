//! Amazon ECS: the index of everything this service does. One row an operation; follow the row to its function.

pub mod arn;
pub mod attributes;
pub mod capacity_provider;
pub mod cluster;
pub mod container_instance;
pub mod node;
pub mod paging;
pub mod placement;
pub mod service;
pub mod service_deployment;
pub mod service_revision;
pub mod settings;
pub mod state_events;
pub mod tags;
pub mod task;
pub mod task_definition;
#[cfg(test)]
mod testing;

use api_ecs as api;
use kernel::Service;

pub fn service() -> Service {
    Service::new(&api::MODEL)
        .on::<api::CreateCapacityProvider, _>(capacity_provider::create_capacity_provider)
        .on::<api::CreateCluster, _>(cluster::create_cluster)
        .on::<api::CreateService, _>(service::create_service)
        .on::<api::DeleteAccountSetting, _>(settings::delete_account_setting)
        .on::<api::DeleteAttributes, _>(attributes::delete_attributes)
        .on::<api::DeleteCapacityProvider, _>(capacity_provider::delete_capacity_provider)
        .on::<api::DeleteCluster, _>(cluster::delete_cluster)
        .on::<api::DeleteService, _>(service::delete_service)
        .on::<api::DeleteTaskDefinitions, _>(task_definition::delete_task_definitions)
        .on::<api::DeregisterContainerInstance, _>(container_instance::deregister_container_instance)
        .on::<api::DeregisterTaskDefinition, _>(task_definition::deregister_task_definition)
        .on::<api::PutAccountSetting, _>(settings::put_account_setting)
        .on::<api::PutAccountSettingDefault, _>(settings::put_account_setting_default)
        .on::<api::PutAttributes, _>(attributes::put_attributes)
        .on::<api::PutClusterCapacityProviders, _>(cluster::put_cluster_capacity_providers)
        .on::<api::RegisterTaskDefinition, _>(task_definition::register_task_definition)
        .on::<api::RunTask, _>(task::run_task)
        .on::<api::StartTask, _>(task::start_task)
        .on::<api::StopServiceDeployment, _>(service_deployment::stop_service_deployment)
        .on::<api::StopTask, _>(task::stop_task)
        .on::<api::TagResource, _>(tags::tag_resource)
        .on::<api::UntagResource, _>(tags::untag_resource)
        .on::<api::UpdateCapacityProvider, _>(capacity_provider::update_capacity_provider)
        .on::<api::UpdateCluster, _>(cluster::update_cluster)
        .on::<api::UpdateClusterSettings, _>(cluster::update_cluster_settings)
        .on::<api::UpdateContainerInstancesState, _>(container_instance::update_container_instances_state)
        .on::<api::UpdateService, _>(service::update_service)
        .on::<api::UpdateTaskProtection, _>(task::update_task_protection)
        .read::<api::DescribeCapacityProviders, _>(capacity_provider::describe_capacity_providers)
        .read::<api::DescribeClusters, _>(cluster::describe_clusters)
        .read::<api::DescribeContainerInstances, _>(container_instance::describe_container_instances)
        .read::<api::DescribeServiceDeployments, _>(service_deployment::describe_service_deployments)
        .read::<api::DescribeServiceRevisions, _>(service_revision::describe_service_revisions)
        .read::<api::DescribeServices, _>(service::describe_services)
        .read::<api::DescribeTaskDefinition, _>(task_definition::describe_task_definition)
        .read::<api::DescribeTasks, _>(task::describe_tasks)
        .read::<api::GetTaskProtection, _>(task::get_task_protection)
        .read::<api::ListAccountSettings, _>(settings::list_account_settings)
        .read::<api::ListAttributes, _>(attributes::list_attributes)
        .read::<api::ListClusters, _>(cluster::list_clusters)
        .read::<api::ListContainerInstances, _>(container_instance::list_container_instances)
        .read::<api::ListServiceDeployments, _>(service_deployment::list_service_deployments)
        .read::<api::ListServices, _>(service::list_services)
        .read::<api::ListServicesByNamespace, _>(service::list_services_by_namespace)
        .read::<api::ListTagsForResource, _>(tags::list_tags_for_resource)
        .read::<api::ListTaskDefinitionFamilies, _>(task_definition::list_task_definition_families)
        .read::<api::ListTaskDefinitions, _>(task_definition::list_task_definitions)
        .read::<api::ListTasks, _>(task::list_tasks)
        .read::<api::UpdateContainerAgent, _>(container_instance::update_container_agent)
        .reconcile::<container_instance::Telling>()
        .reconcile::<state_events::OutboxRetention>()
        .reconcile::<service::Scheduler>()
        .reconcile::<task::Expiry>()
        .reconcile::<task::HistoryRetention>()
        .reconcile::<task::Retention>()
        .reconcile::<task_definition::Deletion>()
        .table::<capacity_provider::CapacityProvider>()
        .table::<cluster::Cluster>()
        .table::<container_instance::ContainerInstance>()
        .table::<container_instance::Told>()
        .table::<node::Freed>()
        .table::<node::Ledger>()
        .table::<node::Node>()
        .table::<service::Events>()
        .table::<service::Pace>()
        .table::<service::Service>()
        .table::<service_deployment::ServiceDeployment>()
        .table::<service_revision::ServiceRevision>()
        .table::<settings::AccountSetting>()
        .table::<state_events::Event>()
        .table::<task::ClientToken>()
        .table::<task::History>()
        .table::<task::RetentionPeriod>()
        .table::<task::Task>()
        .table::<task_definition::Family>()
        .table::<task_definition::TaskDefinition>()
        .workloads(task::assign::workloads())
}
