//! DeleteService: the service is DRAINING from then on, and wants no tasks. The scheduler stops them and then makes it
//! INACTIVE.

use super::{Status, find, view};
use crate::{cluster, service_deployment};
use api_ecs as api;
use api_ecs::Error;
use kernel::Call;
use store::Tx;

/// Answers the same again while it drains, and after.
pub fn delete_service(
    call: &mut Call,
    tx: &mut Tx,
    input: api::DeleteServiceRequest,
) -> Result<api::DeleteServiceResponse, Error> {
    let cluster = cluster::find(tx, &call.scope, input.cluster.as_deref())?;
    let found = find(tx, cluster, input.service.as_deref().unwrap_or_default())?;
    let mut service = found.ok_or_else(|| Error::service_not_found("Service not found."))?.clone();
    if service.status == Status::Active {
        let is_scaled = service.desired_count() > 0 && !service.is_daemon();
        if is_scaled && input.force != Some(true) {
            return Err(Error::invalid_parameter("The service cannot be stopped while it is scaled above 0."));
        }
        service.status = Status::Draining;
        service_deployment::supersede(tx, &service, call.now);
        tx.put(service.clone());
    }
    Ok(api::DeleteServiceResponse { service: Some(view::view(&service, tx, true)) })
}
