//! What callers see of a cluster: the record, and counts of what is in it.

use super::Cluster;
use crate::container_instance::ContainerInstance;
use crate::service::{self, Service, Status};
use crate::task::{Last, Task};
use api_ecs as api;
use api_ecs::ClusterField;
use store::Image;

/// Everything; members that only `include` asks for are empty otherwise.
pub fn view(cluster: &Cluster, image: &Image, include: &[ClusterField]) -> api::Cluster {
    let tasks = Tasks::count(cluster, image);
    let services = Services::count(cluster, image);
    let with = |field: &ClusterField| include.contains(field);
    api::Cluster {
        cluster_arn: Some(cluster.arn()),
        cluster_name: Some(cluster.name.clone()),
        configuration: cluster.configuration.clone().filter(|_| with(&ClusterField::Configurations)),
        status: Some(if cluster.active { "ACTIVE" } else { "INACTIVE" }.to_owned()),
        registered_container_instances_count: Some(instances(cluster, image)),
        running_tasks_count: Some(tasks.running()),
        pending_tasks_count: Some(tasks.pending()),
        active_services_count: Some(services.active.iter().sum()),
        statistics: Some(if with(&ClusterField::Statistics) { statistics(&tasks, &services) } else { Vec::new() }),
        tags: Some(if with(&ClusterField::Tags) { cluster.tags.clone() } else { Vec::new() }),
        settings: Some(if with(&ClusterField::Settings) { cluster.settings.clone() } else { Vec::new() }),
        capacity_providers: Some(cluster.capacity_providers.clone()),
        default_capacity_provider_strategy: Some(cluster.default_capacity_provider_strategy.clone()),
        // AWS attaches scaling plans and policies of its own to providers; nothing is pending where there are none.
        attachments: with(&ClusterField::Attachments).then(Vec::new),
        attachments_status: with(&ClusterField::Attachments).then(|| "UPDATE_COMPLETE".to_owned()),
        service_connect_defaults: cluster.service_connect_defaults.clone(),
    }
}

/// As the operations that change a cluster answer it.
pub fn changed(cluster: &Cluster, image: &Image) -> api::Cluster {
    let mut include = vec![ClusterField::Configurations, ClusterField::Settings, ClusterField::Tags];
    if !cluster.capacity_providers.is_empty() {
        include.push(ClusterField::Attachments);
    }
    view(cluster, image, &include)
}

/// As PutClusterCapacityProviders answers it, also when it took the last one away.
pub fn attached(cluster: &Cluster, image: &Image) -> api::Cluster {
    use ClusterField::{Attachments, Configurations, Settings, Tags};
    view(cluster, image, &[Attachments, Configurations, Settings, Tags])
}

fn prefix(cluster: &Cluster) -> String {
    format!("{}/{}/", cluster.scope, cluster.name)
}

fn instances(cluster: &Cluster, image: &Image) -> i32 {
    image.prefix::<ContainerInstance>(&prefix(cluster)).count() as i32
}

/// Tasks that are not STOPPED, by where they run.
#[derive(Default)]
pub struct Tasks {
    running: [i32; 3],
    pending: [i32; 3],
}

const PLACES: [&str; 3] = ["EC2", "Fargate", "External"];

impl Tasks {
    pub fn count(cluster: &Cluster, image: &Image) -> Tasks {
        let mut tasks = Tasks::default();
        for task in image.prefix::<Task>(&prefix(cluster)) {
            match task.last {
                Last::Provisioning | Last::Pending | Last::Activating => tasks.pending[place(task)] += 1,
                Last::Running => tasks.running[place(task)] += 1,
                _ => {}
            }
        }
        tasks
    }

    pub fn running(&self) -> i32 {
        self.running.iter().sum()
    }

    pub fn pending(&self) -> i32 {
        self.pending.iter().sum()
    }
}

/// Services that are not INACTIVE, by where their tasks run.
#[derive(Default)]
struct Services {
    active: [i32; 3],
    draining: [i32; 3],
}

impl Services {
    fn count(cluster: &Cluster, image: &Image) -> Services {
        let mut services = Services::default();
        for service in image.prefix::<Service>(&prefix(cluster)) {
            match service.status {
                Status::Active => services.active[place_of_service(service)] += 1,
                Status::Draining => services.draining[place_of_service(service)] += 1,
                Status::Inactive => {}
            }
        }
        services
    }
}

fn place_of_service(service: &Service) -> usize {
    match service.spec.launch_type {
        _ if service::defaults::is_fargate(&service.spec) => 1,
        Some(api::LaunchType::External) => 2,
        _ => 0,
    }
}

/// `runningEC2TasksCount`, …: counts as text, as AWS has them.
fn statistics(tasks: &Tasks, services: &Services) -> Vec<api::KeyValuePair> {
    let named = |state: &'static str, what: &'static str, counts: [i32; 3]| {
        PLACES.into_iter().zip(counts).map(move |(place, count)| pair(format!("{state}{place}{what}"), count))
    };
    let tasks = named("running", "TasksCount", tasks.running).chain(named("pending", "TasksCount", tasks.pending));
    let services = named("active", "ServiceCount", services.active).chain(named("draining", "ServiceCount", services.draining));
    tasks.chain(services).collect()
}

fn pair(name: String, value: i32) -> api::KeyValuePair {
    api::KeyValuePair { name: Some(name), value: Some(value.to_string()) }
}

fn place(task: &Task) -> usize {
    match task.launch_type {
        Some(api::LaunchType::Fargate) => 1,
        Some(api::LaunchType::External) => 2,
        _ => 0,
    }
}
