//! Amazon ECS: the index of everything this service does. One row an operation; follow the row to its function.

pub mod arn;
pub mod cluster;
pub mod container_instance;
pub mod node;
pub mod placement;
pub mod task;
pub mod task_definition;
#[cfg(test)]
mod testing;

use api_ecs as api;
use kernel::Service;

pub fn service() -> Service {
    Service::new(&api::MODEL)
        .on::<api::RunTask, _>(task::run_task)
        .on::<api::StartTask, _>(task::start_task)
        .on::<api::StopTask, _>(task::stop_task)
        .on::<api::UpdateTaskProtection, _>(task::update_task_protection)
        .read::<api::DescribeTasks, _>(task::describe_tasks)
        .read::<api::GetTaskProtection, _>(task::get_task_protection)
        .read::<api::ListTasks, _>(task::list_tasks)
        .reconcile::<task::Expiry>()
        .reconcile::<task::Retention>()
        .table::<cluster::Cluster>()
        .table::<container_instance::ContainerInstance>()
        .table::<node::Ledger>()
        .table::<node::Node>()
        .table::<task::ClientToken>()
        .table::<task::RetentionPeriod>()
        .table::<task::Task>()
        .table::<task_definition::Family>()
        .table::<task_definition::TaskDefinition>()
        .workloads(task::assign::workloads())
}
