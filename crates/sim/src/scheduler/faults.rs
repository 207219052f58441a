//! The faults of a scheduler that mutations stand for: in what it sees, in what it says and in what it writes. Each is there
//! for an oracle to find.

use crate::mutation::Mutation;
use api_ecs::{DeploymentEarlySuccessCriteria, LaunchType, ServiceRevisionCleanup};
use ecs::service::{Action, Deployment, Event as ServiceEvent, Events, Rollout, Service};
use ecs::state_events::{self, Event};
use ecs::task::Task;
use std::collections::BTreeMap;
use store::{Image, Key, Record, Tx};
use workload::Desired;

/// Rows as a scheduler with that fault takes them to be.
pub fn seen(image: &Image, key: &Key, mutation: Mutation) -> Image {
    let mut tx = Tx::new(image.clone());
    let Some(mut service) = tx.get::<Service>(key.as_str()).cloned() else { return image.clone() };
    let tasks: Vec<Task> = tx.by::<Task>("service", service.path()).cloned().collect();
    let stopping = tasks.iter().filter(|task| task.desired == Desired::Stopped && !task.is_stopped()).map(Task::key);
    match mutation {
        Mutation::FloorIgnored => {
            let mut configuration = service.spec.deployment_configuration.take().unwrap_or_default();
            configuration.minimum_healthy_percent = Some(0);
            service.spec.deployment_configuration = Some(configuration);
            tx.put(service);
        }
        Mutation::EarlyTooSoon => {
            early_success(&mut service).iter_mut().for_each(|early| early.healthy_percent = Some(1));
            tx.put(service);
        }
        Mutation::CleanupDeferred => {
            let deferred = Some(ServiceRevisionCleanup::Deferred);
            early_success(&mut service).iter_mut().for_each(|early| early.source_service_revision_cleanup = deferred.clone());
            tx.put(service);
        }
        Mutation::StoppingNotCounted if !service.is_daemon() => stopping.for_each(|key| _ = tx.delete::<Task>(key.as_str())),
        Mutation::DaemonTwice if service.is_daemon() => stopping.for_each(|key| _ = tx.delete::<Task>(key.as_str())),
        Mutation::ProtectionIgnored => {
            tasks.into_iter().for_each(|task| tx.put(Task { protected_until: None, ..task }));
        }
        Mutation::ThrottleOff => {
            service.deployments.iter_mut().for_each(|deployment| deployment.throttled_until = None);
            tx.put(service);
        }
        Mutation::HealthyAtOnce => tx.put(ecs::service::Pace { healthy_after_ms: 0 }),
        _ => return image.clone(),
    }
    Image::clone(&tx)
}

fn early_success(service: &mut Service) -> Option<&mut DeploymentEarlySuccessCriteria> {
    service.spec.deployment_configuration.as_mut()?.early_success_criteria.as_mut()
}

/// What a scheduler with that fault says is to be done.
pub fn misjudge(actions: &mut Vec<Action>, service: &Service, mutation: Mutation) {
    let Some(primary) = service.primary() else { return };
    let start = |deployment: &Deployment| Action::Start {
        deployment: deployment.id.clone(),
        count: 1,
        on: Vec::new(),
        instead_of: Vec::new(),
    };
    match mutation {
        Mutation::FailedGoesOn if primary.rollout == Rollout::Failed && actions.is_empty() && !service.is_daemon() => {
            actions.push(start(primary));
        }
        Mutation::OlderAbandoned => {
            actions.retain(|action| !matches!(action, Action::Start { deployment, .. } if *deployment != primary.id));
        }
        Mutation::RollbackAnywhere => {
            let broken = service.deployments.iter().skip(1).find(|deployment| deployment.rollout != Rollout::Completed);
            for action in actions {
                if let (Action::RollBack { cause, .. } | Action::Fail(cause), Some(to)) = (&action, broken) {
                    *action = Action::RollBack { to: to.id.clone(), cause: *cause };
                }
            }
        }
        Mutation::PinsAnything => {
            each_pin(actions, |digests| digests.values_mut().for_each(|digest| *digest = digest.replace('0', "f")))
        }
        Mutation::PinsTheLoose => each_pin(actions, |digests| {
            let digest = digests.values().next().cloned();
            digests.extend(digest.map(|digest| ("server-aside".to_owned(), digest)));
        }),
        Mutation::ForgetsEarly if actions.is_empty() && service.deployments.len() > 1 => {
            let deployment = service.deployments[1].id.clone();
            actions.push(Action::Forget { deployment });
        }
        _ => {}
    }
}

fn each_pin(actions: &mut [Action], spoil: impl Fn(&mut BTreeMap<String, String>)) {
    for action in actions {
        if let Action::Pin { digests, .. } = action {
            spoil(digests);
        }
    }
}

/// What a scheduler with that fault leaves behind, where the real one wrote `action`.
pub fn miswrite(tx: &mut Tx, key: &Key, action: &Action, before: &Image, mutation: Mutation) {
    let told = state_events::after(tx, state_events::newest(before)).next().cloned();
    match (mutation, action) {
        (Mutation::CountsForgotten, Action::Count(ended)) => {
            let prefix = key.as_str().rsplit_once('/').map_or("", |(prefix, _)| prefix);
            for ended in ended {
                let task = format!("{prefix}/{}", ended.task);
                tx.update::<Task>(&task, |task| task.member.iter_mut().for_each(|member| member.is_counted = false));
            }
        }
        (Mutation::PinsForgotten, Action::Start { .. }) => started(tx, key, before).into_iter().for_each(|task| {
            tx.update::<Task>(task.as_str(), |task| task.member.iter_mut().for_each(|member| member.digests.clear()));
        }),
        (Mutation::ProvidersSwapped | Mutation::LaunchTypesMixed, Action::Start { .. }) => {
            for task in started(tx, key, before) {
                tx.update::<Task>(task.as_str(), |task| move_task(task, mutation));
            }
        }
        (Mutation::ProvidersDrift, Action::Heal { .. }) => {
            let members: Vec<Key> = tx.by::<Task>("service", key.as_str()).map(Task::key).collect();
            for task in members {
                tx.update::<Task>(task.as_str(), |task| move_task(task, Mutation::ProvidersSwapped));
            }
        }
        (Mutation::StrategyKept, Action::RollBack { .. }) => {
            let was = before.get::<Service>(key.as_str()).map(|service| service.spec.clone()).unwrap_or_default();
            tx.update::<Service>(key.as_str(), |service| {
                service.spec.capacity_provider_strategy = was.capacity_provider_strategy;
                service.spec.launch_type = was.launch_type;
            });
        }
        (Mutation::SaidTwice | Mutation::SaidInstead, _) => missay(tx, key, before, mutation),
        (Mutation::SteadyUnsaid, Action::Steady) => {
            tx.update::<Events>(key.as_str(), |row| drop(row.events.remove(0)));
        }
        (Mutation::RolledBackInName, Action::RollBack { .. }) => {
            let was = before.get::<Service>(key.as_str()).and_then(|service| service.spec.task_definition.clone());
            tx.update::<Service>(key.as_str(), |service| service.spec.task_definition = was);
        }
        (Mutation::EventLost, _) => {
            if let Some(event) = told {
                tx.delete::<Event>(event.key().as_str());
            }
        }
        (Mutation::EventTwice, _) => {
            if let Some(event) = told {
                let sequence = state_events::newest(tx) + 1;
                tx.put(Event { sequence, ..event });
            }
        }
        _ => {}
    }
}

fn move_task(task: &mut Task, mutation: Mutation) {
    match (mutation, task.capacity_provider.as_deref()) {
        (Mutation::ProvidersSwapped, Some("FARGATE")) => task.capacity_provider = Some("FARGATE_SPOT".to_owned()),
        (Mutation::ProvidersSwapped, Some("web")) => task.capacity_provider = Some("batch".to_owned()),
        (Mutation::LaunchTypesMixed, Some(_)) if task.container_instance.is_none() => task.launch_type = Some(LaunchType::Ec2),
        _ => {}
    }
}

fn missay(tx: &mut Tx, key: &Key, before: &Image, mutation: Mutation) {
    let count = |image: &Image| image.get::<Events>(key.as_str()).map_or(0, |row| row.events.len());
    if count(tx) <= count(before) {
        return;
    }
    tx.update::<Events>(key.as_str(), |row| match mutation {
        Mutation::SaidTwice => {
            let again = ServiceEvent { id: format!("{} again", row.events[0].id), ..row.events[0].clone() };
            row.events.insert(0, again);
        }
        _ => row.events.truncate(1),
    });
}

/// The tasks of the service that were not there before.
fn started(image: &Image, service: &Key, before: &Image) -> Vec<Key> {
    let tasks = image.by::<Task>("service", service.as_str()).map(Task::key);
    tasks.filter(|key| before.get::<Task>(key.as_str()).is_none()).collect()
}
