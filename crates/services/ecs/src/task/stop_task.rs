//! StopTask: the plane's wish, written once. What the node makes of it arrives in reports.

use super::{find, put, state, view};
use crate::cluster;
use api_ecs as api;
use kernel::Call;
use store::Tx;

pub fn stop_task(call: &mut Call, tx: &mut Tx, input: api::StopTaskRequest) -> Result<api::StopTaskResponse, api::Error> {
    let cluster = cluster::find(tx, &call.scope, input.cluster.as_deref())?;
    let given = input.task.as_deref().unwrap_or_default();
    let Some(mut task) = find(tx, cluster, given)?.cloned() else {
        return Err(api::Error::invalid_parameter("The referenced task was not found."));
    };
    let reason = input.reason.filter(|reason| !reason.is_empty()).unwrap_or_else(|| "Task stopped by user".to_owned());
    if state::ask_to_stop(&mut task, api::TaskStopCode::UserInitiated, reason, call.now) {
        put(call, tx, task.clone());
    }
    Ok(api::StopTaskResponse { task: Some(view::view(&task, tx)) })
}
