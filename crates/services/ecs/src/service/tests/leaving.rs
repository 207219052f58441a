//! Instances that drain: a daemon is the last to leave.

use crate::container_instance::ContainerInstance;
use crate::task::Task;
use crate::testing::{Plane, facts, obedient};
use serde_json::json;
use std::time::Duration;
use workload::Desired;

fn live(plane: &mut Plane) {
    for _ in 0..3 {
        while plane.report("n1", obedient) + plane.report("n2", obedient) > 0 {}
        plane.pass(Duration::from_secs(41));
    }
}

/// On n1, of the service, and not asked to end.
fn there(plane: &Plane, service: &str) -> Vec<String> {
    let is_there = |task: &&Task| task.node.as_deref() == Some("n1") && task.desired == Desired::Running;
    let is_its = |task: &&Task| task.member.as_ref().is_some_and(|member| member.service == service);
    plane.core.image().scan::<Task>().filter(is_there).filter(is_its).map(Task::arn).collect()
}

/// Nobody looked at it again when the last of the others had left: found by the simulator.
#[test]
fn a_daemon_leaves_when_the_last_of_the_others_has_left() {
    let mut plane = Plane::with_node();
    plane.join(facts("n2"));
    plane.define("web", json!({ "containerDefinitions": [{ "name": "a", "image": "b", "memory": 64, "cpu": 16 }] }));
    plane.ok("CreateService", json!({ "serviceName": "web", "taskDefinition": "web", "desiredCount": 2 }));
    plane.ok("CreateService", json!({ "serviceName": "each", "taskDefinition": "web", "schedulingStrategy": "DAEMON" }));
    live(&mut plane);
    let web = there(&plane, "web");
    plane.ok("UpdateTaskProtection", json!({ "cluster": "default", "tasks": web, "protectionEnabled": true }));
    let instance = plane.core.image().scan::<ContainerInstance>().find(|instance| instance.node == "n1").unwrap().arn();
    plane.ok("UpdateContainerInstancesState", json!({ "containerInstances": [instance], "status": "DRAINING" }));
    live(&mut plane);
    assert_eq!((there(&plane, "web").len(), there(&plane, "each").len()), (1, 1));
    plane.ok("StopTask", json!({ "task": web[0] }));
    while plane.report("n1", obedient) > 0 {}
    assert_eq!((there(&plane, "web").len(), there(&plane, "each").len()), (0, 0));
}
