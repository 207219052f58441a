//! A deployment that another one takes the place of is asked to stop when the other is written, and has stopped when the
//! scheduler begins with the other: from then on nothing is done for it any more.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html

use super::ServiceDeployment;
use crate::service::Service;
use api_ecs::ServiceDeploymentStatus as Stage;
use base::Time;
use store::{Key, Tx};

/// Whatever is under way of the service is to stop, as another deployment takes its place, or none.
pub fn supersede(tx: &mut Tx, service: &Service, now: Time) {
    for key in keys(service) {
        let Some(mut row) = tx.get::<ServiceDeployment>(key.as_str()).cloned() else { continue };
        row.status = match row.status {
            Stage::Pending | Stage::InProgress => Stage::StopRequested,
            // There is no way from a rollback but to its end.
            Stage::RollbackInProgress => Stage::RollbackFailed,
            _ => continue,
        };
        row.finished_at = row.is_over().then_some(now);
        row.updated_at = now;
        tx.put(row);
    }
}

/// What was superseded is over.
pub fn settle(tx: &mut Tx, service: &Service, now: Time) {
    let primary = service.primary().map(|primary| primary.service_deployment.as_str());
    for key in keys(service) {
        let Some(mut row) = tx.get::<ServiceDeployment>(key.as_str()).cloned() else { continue };
        let is_asked = matches!(row.status, Stage::StopRequested | Stage::RollbackRequested);
        if is_asked && primary != Some(row.id.as_str()) {
            (row.status, row.stop, row.updated_at) = (Stage::Stopped, None, now);
            (row.stopped_at, row.finished_at) = (Some(now), Some(now));
            tx.put(row);
        }
    }
}

fn keys(service: &Service) -> Vec<Key> {
    service.deployments.iter().map(|deployment| deployment.change_key(service)).collect()
}
