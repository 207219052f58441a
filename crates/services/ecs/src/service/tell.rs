//! What is told of a service as state-change events, besides what it says of itself. Decides nothing; the events are written
//! with the change that they tell of.

use super::Service;
use crate::state_events::{self, Action, ServiceAction};
use kernel::Call;
use store::Tx;

pub fn action(call: &mut Call, tx: &mut Tx, service: &Service, action: Action) {
    action_of(call, tx, service, action, &ServiceAction::default());
}

/// One that says whom it concerns.
pub fn action_of(call: &mut Call, tx: &mut Tx, service: &Service, action: Action, more: &ServiceAction) {
    state_events::service_action(call, tx, service.into(), action, more);
}

/// How the PRIMARY deployment goes.
pub fn deployment(call: &mut Call, tx: &mut Tx, service: &Service) {
    let Some(primary) = service.primary() else { return };
    let (name, state) = (primary.name(), primary.rollout.state());
    state_events::deployment_state_change(call, tx, service.into(), &name, &state, &primary.reason);
}
