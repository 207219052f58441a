//! Amazon ECS: the index of everything this service does. One row an operation; follow the row to its function.

pub mod arn;
pub mod cluster;
pub mod container_instance;
pub mod node;
pub mod task;
pub mod task_definition;

use kernel::Service;

pub fn service() -> Service {
    Service::new(&api_ecs::MODEL)
        .table::<cluster::Cluster>()
        .table::<container_instance::ContainerInstance>()
        .table::<node::Ledger>()
        .table::<node::Node>()
        .table::<task::Task>()
        .table::<task_definition::Family>()
        .table::<task_definition::TaskDefinition>()
}
