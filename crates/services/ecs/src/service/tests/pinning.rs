//! Version consistency: what pins a deployment, and what does not.

use crate::service::Service;
use crate::testing::{Plane, obedient, scope, status};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use workload::{ContainerPhase, TaskPhase, TaskSpec, TaskStatus};

fn plane() -> Plane {
    let mut plane = Plane::with_node();
    let container = |name: &str, more: serde_json::Value| {
        let mut container = json!({ "name": name, "image": "b", "memory": 64, "cpu": 16, "essential": name == "a" });
        container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        container
    };
    let containers =
        [container("a", json!({})), container("b", json!({})), container("loose", json!({ "versionConsistency": "disabled" }))];
    plane.define("web", json!({ "containerDefinitions": containers }));
    plane.ok("CreateService", json!({ "serviceName": "web", "taskDefinition": "web", "desiredCount": 1 }));
    plane
}

/// What the only deployment is pinned to, once its first task has said this of its containers.
fn pinned(say: impl Fn(&mut workload::ContainerStatus)) -> Option<BTreeMap<String, String>> {
    let mut plane = plane();
    plane.report("n1", |spec: &TaskSpec| Some(status(spec, TaskPhase::Activating)));
    plane.report("n1", |spec: &TaskSpec| {
        let mut said: TaskStatus = obedient(spec)?;
        said.containers.iter_mut().for_each(|container| {
            container.runtime_id = Some("r".into());
            container.image_digest = Some("sha256:1".into());
            say(container);
        });
        Some(said)
    });
    plane.pass(Duration::from_secs(1));
    let service = plane.core.image().get::<Service>(&format!("{}/default/web", scope())).unwrap();
    service.deployments[0].digests.clone()
}

fn names(digests: Option<BTreeMap<String, String>>) -> Option<Vec<String>> {
    digests.map(|digests| digests.into_keys().collect())
}

#[test]
fn all_containers_are_pinned_but_those_that_are_to_float() {
    assert_eq!(names(pinned(|_| {})), Some(vec!["a".to_owned(), "b".to_owned()]));
}

/// Its agent crashed before it had said what it ran: found by the simulator.
#[test]
fn a_task_of_which_it_is_not_known_what_it_runs_pins_nothing() {
    assert_eq!(
        pinned(|container| container.image_digest = container.image_digest.take().filter(|_| container.name == "a")),
        None
    );
}

#[test]
fn what_could_not_be_pulled_is_pinned_to_nothing() {
    let missing = |container: &mut workload::ContainerStatus| {
        if container.name == "b" {
            (container.runtime_id, container.image_digest, container.phase) = (None, None, ContainerPhase::Stopped);
        }
    };
    assert_eq!(names(pinned(missing)), Some(vec!["a".to_owned()]));
}
