//! The service scheduler: which service is looked at when, and what a decision about it writes.

use super::action::Action;
use super::situation::Situation;
use super::{Pace, Service, Status, UNPLACED, daemon, decide, outcome, pin, rebalance, rollout, start, stop};
use crate::container_instance::ContainerInstance;
use crate::node::{Freed, Node};
use crate::service_deployment::ServiceDeployment;
use crate::task::Task;
use base::Time;
use base::limits::STOPPED_TASK_RETENTION_SECONDS;
use kernel::{Call, Plan, Reconciler};
use std::time::Duration;
use store::{Change, Image, Key, Record, Tx};

pub struct Scheduler;

impl Reconciler for Scheduler {
    const NAME: &'static str = "ecs/service";
    type Action = Action;

    fn keys(image: &Image) -> Vec<Key> {
        image.scan::<Service>().map(Service::key).collect()
    }

    fn concerns(image: &Image, change: &Change) -> Vec<Key> {
        let key = change.key.as_str();
        match change.table {
            Service::TABLE => vec![change.key.clone()],
            Task::TABLE => image.get::<Task>(key).map(|task| of_task(image, task)).unwrap_or_default(),
            ServiceDeployment::TABLE => image.get::<ServiceDeployment>(key).map(of_change).into_iter().collect(),
            ContainerInstance::TABLE => {
                image.get::<ContainerInstance>(key).map(|instance| daemon::concerned(image, instance)).unwrap_or_default()
            }
            Node::TABLE => {
                let instances = image.by::<ContainerInstance>("node", key);
                instances.flat_map(|instance| daemon::concerned(image, instance)).collect()
            }
            Freed::TABLE => image.by::<Service>(UNPLACED, "").map(Service::key).collect(),
            Pace::TABLE => Scheduler::keys(image),
            _ => Vec::new(),
        }
    }

    fn decide(image: &Image, key: &Key, now: Time) -> Plan<Action> {
        match image.get::<Service>(key.as_str()) {
            Some(Service { status: Status::Inactive, ended_at, .. }) => bury(*ended_at, now),
            Some(service) => plan(&Situation::of(image, service, now)),
            None => Plan::rest(),
        }
    }

    fn apply(call: &mut Call, tx: &mut Tx, key: &Key, action: Action) {
        let service = tx.get::<Service>(key.as_str()).cloned().expect("it was decided about");
        match action {
            Action::Start { deployment, count, on, instead_of } => {
                start::start(call, tx, service, &deployment, count, &on, &instead_of);
            }
            Action::Rebalance { deployment, zone } => start::rebalance(call, tx, service, &deployment, &zone),
            Action::Stop(stops) => stop::stop(call, tx, &service, stops),
            Action::Count(ended) => stop::count(call, tx, service, ended),
            Action::Heal { deployment, at } => outcome::heal(tx, service, &deployment, at),
            Action::Pin { deployment, digests } => pin::pin(tx, service, &deployment, digests),
            Action::Begin => outcome::begin(call, tx, &service),
            Action::Complete => outcome::complete(call, tx, service),
            Action::Fail(cause) => outcome::fail(call, tx, service, cause),
            Action::RollBack { to, cause } => outcome::roll_back(call, tx, service, &to, cause),
            Action::Forget { deployment } => outcome::forget(tx, service, &deployment),
            Action::Steady => outcome::steady(call, tx, service),
            Action::Unsteady => outcome::unsteady(tx, service),
            Action::End => outcome::end(call, tx, service),
            Action::Delete => outcome::delete(tx, key),
            Action::Complain(sentence) => outcome::complain(call, tx, service, sentence),
        }
    }
}

/// Its own service, and the daemons that stay on a DRAINING instance as long as it is there.
fn of_task(image: &Image, task: &Task) -> Vec<Key> {
    let own = task.service_path().map(Key::new);
    let waiting = if task.is_stopped() { daemon::waiting(image, task) } else { Vec::new() };
    own.into_iter().chain(waiting).collect()
}

fn of_change(change: &ServiceDeployment) -> Key {
    super::key(&change.scope, &change.cluster, &change.service)
}

/// INACTIVE services are told of for as long as stopped tasks are.
/// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html
fn bury(ended_at: Option<Time>, now: Time) -> Plan<Action> {
    let until = ended_at.unwrap_or_default() + Duration::from_secs(STOPPED_TASK_RETENTION_SECONDS);
    if until <= now { Plan::act(vec![Action::Delete]) } else { Plan::wait(until) }
}

/// A verdict first: what is started and stopped follows from it.
pub fn plan(situation: &Situation) -> Plan<Action> {
    if let Some(verdict) = rollout::judge(situation) {
        return Plan::act(vec![verdict]);
    }
    let mut moves = if situation.service.is_daemon() { daemon::moves(situation) } else { decide::moves(situation) };
    if moves.is_empty() {
        moves = rebalance::moves(situation);
    }
    let wake = situation.wake().into_iter().chain(rollout::repeat_at(situation)).min();
    Plan { actions: moves.into_iter().filter(|action| !is_said(situation, action)).collect(), wake }
}

/// A complaint is not repeated before long.
fn is_said(situation: &Situation, action: &Action) -> bool {
    matches!(action, Action::Complain(sentence) if situation.service.has_said(sentence, situation.now))
}
