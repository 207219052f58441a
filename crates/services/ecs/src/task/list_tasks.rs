//! ListTasks: the ARNs of a cluster's tasks that pass every filter, those desired RUNNING if nothing else is asked for.

use super::Task;
use crate::arn;
use crate::cluster::{self, Cluster};
use crate::paging::page;
use crate::service::{self, Service};
use api_ecs as api;
use kernel::Call;
use store::Image;
use workload::Desired;

pub fn list_tasks(call: &mut Call, image: &Image, input: api::ListTasksRequest) -> Result<api::ListTasksResponse, api::Error> {
    let cluster = cluster::find(image, &call.scope, input.cluster.as_deref())?;
    let instance = match input.container_instance.as_deref() {
        Some(given) => Some(arn::in_cluster(&cluster.scope, "container-instance", &cluster.name, given)?),
        None => None,
    };
    let group = match input.service_name.as_deref() {
        Some(given) => Some(group(image, cluster, given)?),
        None => None,
    };
    let others = input.family.is_some() || instance.is_some();
    if group.is_some() && others {
        return Err(api::Error::invalid_parameter("cannot specify serviceName with other arguments"));
    }
    if input.started_by.is_some() && (group.is_some() || others) {
        return Err(api::Error::invalid_parameter("cannot specify startedBy with other arguments"));
    }
    let is_wanted = |task: &&Task| {
        desired(task, input.desired_status.as_ref())
            && instance.is_none_or(|id| task.container_instance.as_deref() == Some(id))
            && input.family.as_ref().is_none_or(|family| task.family == *family)
            && group.as_ref().is_none_or(|group| task.group == *group)
            && input.started_by.as_ref().is_none_or(|by| task.started_by.as_ref() == Some(by))
            && input.launch_type.as_ref().is_none_or(|launch_type| task.launch_type.as_ref() == Some(launch_type))
            && input.daemon_name.is_none()
    };
    let prefix = format!("{}/{}/", cluster.scope, cluster.name);
    let tasks = image.prefix::<Task>(&prefix).filter(is_wanted);
    let page = page(tasks, |task| task.id.clone(), input.max_results, input.next_token.as_deref())?;
    let arns = page.items.into_iter().map(Task::arn).collect();
    Ok(api::ListTasksResponse { task_arns: Some(arns), next_token: page.next_token })
}

/// Of the tasks of a service, which must be there.
fn group(image: &Image, cluster: &Cluster, given: &str) -> Result<String, api::Error> {
    let service = service::find(image, cluster, given)?;
    service.map(Service::group).ok_or_else(|| api::Error::service_not_found("Service not found."))
}

/// PENDING is accepted and matches nothing: no task is ever desired so.
fn desired(task: &Task, wanted: Option<&api::DesiredStatus>) -> bool {
    match wanted {
        None | Some(api::DesiredStatus::Running) => task.desired == Desired::Running,
        Some(api::DesiredStatus::Stopped) => task.desired == Desired::Stopped,
        Some(_) => false,
    }
}
