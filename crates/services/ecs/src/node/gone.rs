//! A node that is known to be dead, as its connection alone never tells: a node that is merely cut off goes on running what
//! it has. Whoever knows says so: the process that stopped it, or what watches over a fleet.

use super::{Node, connection};
use crate::container_instance::{self, ContainerInstance};
use crate::task::report;
use kernel::Call;
use store::Tx;
use workload::NodeId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It may come back, as the same container instance, with nothing running.
    Stopped,
    /// For good: it is in no cluster any more.
    /// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deregister_container_instance.html
    Terminated,
}

/// Its tasks are STOPPED. Idempotent.
pub fn gone(call: &mut Call, tx: &mut Tx, node: &NodeId, how: Gone) {
    connection::left(call, tx, node);
    report::lose_host(call, tx, node, &sentence(node, how));
    if how == Gone::Terminated {
        let registrations: Vec<ContainerInstance> = tx.by("node", node).cloned().collect();
        registrations.iter().for_each(|instance| container_instance::forget(call, tx, instance));
        tx.delete::<Node>(node);
    }
}

/// As the word for it has it.
pub fn stopped(call: &mut Call, tx: &mut Tx, node: &NodeId) {
    gone(call, tx, node, Gone::Stopped);
}

/// As ECS says it of a host of EC2.
fn sentence(node: &NodeId, how: Gone) -> String {
    match how {
        Gone::Stopped => format!("Host EC2 (instance {node}) stopped."),
        Gone::Terminated => format!("Host EC2 (instance {node}) terminated."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Plane, facts, obedient, status};
    use serde_json::{Value, json};
    use workload::TaskPhase;

    fn plane() -> Plane {
        let mut plane = Plane::with_node();
        plane.join(facts("n2"));
        plane.define("web", json!({ "containerDefinitions": [{ "name": "a", "image": "b", "memory": 64 }] }));
        plane
    }

    fn on(plane: &mut Plane, node: &str) -> String {
        let instances = plane.ok("ListContainerInstances", json!({}))["containerInstanceArns"].clone();
        let described = plane.ok("DescribeContainerInstances", json!({ "containerInstances": instances }));
        let all = described["containerInstances"].as_array().unwrap().iter();
        let instance =
            all.filter(|instance| instance["ec2InstanceId"] == node).map(|instance| instance["containerInstanceArn"].clone());
        let instance: Vec<Value> = instance.collect();
        let started = plane.ok("StartTask", json!({ "taskDefinition": "web", "containerInstances": instance }));
        started["tasks"][0]["taskArn"].as_str().unwrap().to_owned()
    }

    fn told(plane: &mut Plane, task: &str) -> String {
        let task = &plane.ok("DescribeTasks", json!({ "tasks": [task] }))["tasks"][0];
        let (last, reason) = (task["lastStatus"].as_str().unwrap(), task["stoppedReason"].as_str().unwrap_or_default());
        format!("{last} {} {reason}", task["stopCode"].as_str().unwrap_or_default())
    }

    fn connected(plane: &mut Plane) -> Vec<(String, bool)> {
        let instances = plane.ok("ListContainerInstances", json!({}))["containerInstanceArns"].clone();
        let described = plane.ok("DescribeContainerInstances", json!({ "containerInstances": instances }));
        let all = described["containerInstances"].as_array().unwrap().iter();
        let mut all: Vec<_> = all
            .map(|one| (one["ec2InstanceId"].as_str().unwrap().to_owned(), one["agentConnected"].as_bool().unwrap()))
            .collect();
        all.sort();
        all
    }

    #[test]
    fn the_tasks_of_a_stopped_node_end_and_nobody_elses() {
        let mut plane = plane();
        let (running, pending, elsewhere) = (on(&mut plane, "n1"), on(&mut plane, "n1"), on(&mut plane, "n2"));
        let first = running.rsplit('/').next().unwrap().to_owned();
        plane.report("n1", |spec| Some(status(spec, if spec.id == first { TaskPhase::Running } else { TaskPhase::Pending })));
        plane.report("n2", obedient);
        plane.die("n1");
        let ended = "STOPPED TerminationNotice Host EC2 (instance n1) stopped.";
        assert_eq!([told(&mut plane, &running), told(&mut plane, &pending)], [ended, ended]);
        assert_eq!(told(&mut plane, &elsewhere), "RUNNING  ");
        assert_eq!(connected(&mut plane), [("n1".to_owned(), false), ("n2".to_owned(), true)]);
    }

    #[test]
    fn what_somebody_stopped_before_keeps_its_reason() {
        let mut plane = plane();
        let task = on(&mut plane, "n1");
        plane.report("n1", obedient);
        plane.ok("StopTask", json!({ "task": task, "reason": "enough" }));
        plane.die("n1");
        assert_eq!(told(&mut plane, &task), "STOPPED UserInitiated enough");
    }

    #[test]
    fn a_stopped_node_comes_back_as_the_same_instance_and_takes_tasks() {
        let mut plane = plane();
        let before = on(&mut plane, "n1");
        plane.die("n1");
        plane.join(facts("n1"));
        plane.report("n1", |_| None);
        let again = on(&mut plane, "n1");
        plane.report("n1", obedient);
        assert!(told(&mut plane, &before).starts_with("STOPPED") && told(&mut plane, &again).starts_with("RUNNING"));
        assert_eq!(connected(&mut plane).len(), 2);
    }

    #[test]
    fn a_terminated_node_is_in_no_cluster() {
        let mut plane = plane();
        let task = on(&mut plane, "n1");
        plane.internal(|call, tx| gone(call, tx, &"n1".to_owned(), Gone::Terminated));
        assert_eq!(told(&mut plane, &task), "STOPPED TerminationNotice Host EC2 (instance n1) terminated.");
        assert_eq!(connected(&mut plane), [("n2".to_owned(), true)]);
    }
}
