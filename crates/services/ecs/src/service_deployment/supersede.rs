//! A deployment that another one takes the place of is asked to stop when the other is written, and has stopped when the
//! scheduler begins with the other: from then on nothing is done for it any more.

use super::{ServiceDeployment, key};
use crate::service::Service;
use api_ecs::ServiceDeploymentStatus as Stage;
use base::Time;
use store::{Key, Tx};

/// Whatever is under way of the service is to stop, as another deployment takes its place, or none.
pub fn supersede(tx: &mut Tx, service: &Service, now: Time) {
    for key in keys(service) {
        if let Some(mut row) = tx.get::<ServiceDeployment>(key.as_str()).filter(|row| !row.is_over()).cloned() {
            (row.status, row.updated_at) = (Stage::StopRequested, now);
            tx.put(row);
        }
    }
}

/// What was superseded is over.
pub fn settle(tx: &mut Tx, service: &Service, now: Time) {
    for key in keys(service) {
        let row = tx.get::<ServiceDeployment>(key.as_str());
        if let Some(mut row) = row.filter(|row| row.status == Stage::StopRequested).cloned() {
            (row.status, row.updated_at) = (Stage::Stopped, now);
            (row.stopped_at, row.finished_at, row.stop) = (Some(now), Some(now), None);
            tx.put(row);
        }
    }
}

fn keys(service: &Service) -> Vec<Key> {
    let deployments = service.deployments.iter();
    deployments.map(|one| key(&service.scope, &service.cluster, &service.name, &one.service_deployment)).collect()
}
