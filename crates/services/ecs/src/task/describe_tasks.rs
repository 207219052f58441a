//! DescribeTasks.

use super::{find, view};
use crate::{arn, cluster};
use api_ecs as api;
use base::limits::TASKS_PER_DESCRIBE;
use kernel::Call;
use store::Image;

pub fn describe_tasks(
    call: &mut Call,
    image: &Image,
    input: api::DescribeTasksRequest,
) -> Result<api::DescribeTasksResponse, api::Error> {
    let cluster = cluster::find(image, &call.scope, input.cluster.as_deref())?;
    let given = input.tasks.unwrap_or_default();
    if given.is_empty() {
        return Err(api::Error::invalid_parameter("Tasks cannot be empty."));
    }
    if given.len() > TASKS_PER_DESCRIBE {
        return Err(api::Error::invalid_parameter(format!("Tasks should have at most {TASKS_PER_DESCRIBE} items.")));
    }
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for given in &given {
        match find(image, cluster, given)? {
            Some(task) => tasks.push(view::view(task, image)),
            None => failures.push(missing(cluster, given)?),
        }
    }
    Ok(api::DescribeTasksResponse { tasks: Some(tasks), failures: Some(failures) })
}

/// Under its ARN, whichever way it was named.
pub fn missing(cluster: &cluster::Cluster, given: &str) -> Result<api::Failure, api::Error> {
    let id = arn::in_cluster(&cluster.scope, "task", &cluster.name, given)?;
    let arn = super::arn(&cluster.scope, &cluster.name, id);
    Ok(api::Failure { arn: Some(arn), reason: Some("MISSING".into()), detail: None })
}
