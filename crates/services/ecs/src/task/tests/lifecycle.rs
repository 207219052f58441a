//! Reports of a node become the states a client sees.

use crate::testing::{Plane, obedient, status};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use std::time::Duration;
use workload::{Address, ContainerPhase, StopCause, TaskPhase, TaskSpec, TaskStatus};

fn plane() -> (Plane, String) {
    let mut plane = Plane::with_node();
    plane.define("job", json!({ "containerDefinitions": [{ "name": "a", "image": "busybox", "memory": 64 }] }));
    let answer = plane.ok("RunTask", json!({ "taskDefinition": "job" }));
    (plane, answer["tasks"][0]["taskArn"].as_str().unwrap().to_owned())
}

fn describe(plane: &mut Plane, arn: &str) -> Value {
    plane.ok("DescribeTasks", json!({ "tasks": [arn] }))["tasks"][0].clone()
}

/// `last desired version code reason`, and the times that are known.
fn shown(task: &Value) -> String {
    let text = |member: &str| task[member].as_str().unwrap_or("-").to_owned();
    let times = ["connectivityAt", "startedAt", "stoppingAt", "stoppedAt"];
    let known: Vec<&str> = times.into_iter().filter(|time| !task[time].is_null()).collect();
    let (version, container) = (&task["version"], task["containers"][0]["lastStatus"].as_str().unwrap_or("-"));
    let states = format!("{} {} v{version} {container}", text("lastStatus"), text("desiredStatus"));
    format!("{states} | {}: {} | {}", text("stopCode"), text("stoppedReason"), known.join(" "))
}

fn say(phase: TaskPhase) -> impl Fn(&TaskSpec) -> Option<TaskStatus> {
    move |spec| Some(status(spec, phase))
}

#[test]
fn a_task_goes_through_its_states_and_is_stopped_by_its_user() {
    let (mut plane, arn) = plane();
    let mut story = vec![shown(&describe(&mut plane, &arn))];
    for phase in [TaskPhase::Activating, TaskPhase::Running] {
        plane.report("n1", say(phase));
        story.push(shown(&describe(&mut plane, &arn)));
    }
    plane.ok("StopTask", json!({ "task": arn, "reason": "enough" }));
    story.push(shown(&describe(&mut plane, &arn)));
    for phase in [TaskPhase::Stopping, TaskPhase::Stopped] {
        plane.report("n1", say(phase));
        story.push(shown(&describe(&mut plane, &arn)));
    }
    assert!(plane.sent["n1"].tasks.is_empty(), "a stopped task is in no set");
    expect![[r#"
        PENDING RUNNING v1 PENDING | -: - | 
        ACTIVATING RUNNING v2 PENDING | -: - | connectivityAt
        RUNNING RUNNING v3 RUNNING | -: - | connectivityAt startedAt
        RUNNING STOPPED v4 RUNNING | UserInitiated: enough | connectivityAt startedAt stoppingAt
        STOPPING STOPPED v5 RUNNING | UserInitiated: enough | connectivityAt startedAt stoppingAt
        STOPPED STOPPED v6 STOPPED | UserInitiated: enough | connectivityAt startedAt stoppingAt stoppedAt"#]]
    .assert_eq(&story.join("\n"));
}

fn ends(say: impl Fn(&TaskSpec) -> TaskStatus, expected: Expect) {
    let (mut plane, arn) = plane();
    plane.report("n1", |spec| Some(say(spec)));
    expected.assert_eq(&shown(&describe(&mut plane, &arn)));
}

#[test]
fn a_task_that_ends_by_itself_says_why() {
    let stopped = |spec: &TaskSpec, cause| TaskStatus { cause: Some(cause), ..status(spec, TaskPhase::Stopped) };
    ends(
        |spec| stopped(spec, StopCause::EssentialContainerExited),
        expect![
            "STOPPED STOPPED v2 STOPPED | EssentialContainerExited: Essential container in task exited | connectivityAt stoppingAt stoppedAt"
        ],
    );
    ends(
        |spec| stopped(spec, StopCause::FailedToStart("CannotPullContainerError: no".into())),
        expect![
            "STOPPED STOPPED v2 STOPPED | TaskFailedToStart: CannotPullContainerError: no | connectivityAt stoppingAt stoppedAt"
        ],
    );
}

#[test]
fn the_first_reason_stays() {
    let (mut plane, arn) = plane();
    plane.ok("StopTask", json!({ "task": arn }));
    plane.ok("StopTask", json!({ "task": arn, "reason": "again" }));
    plane.report("n1", |spec| {
        Some(TaskStatus { cause: Some(StopCause::EssentialContainerExited), ..status(spec, TaskPhase::Stopped) })
    });
    let version = plane.ok("StopTask", json!({ "task": arn, "reason": "and again" }))["task"]["version"].clone();
    expect!["STOPPED STOPPED v3 STOPPED | UserInitiated: Task stopped by user | connectivityAt stoppingAt stoppedAt"]
        .assert_eq(&shown(&describe(&mut plane, &arn)));
    assert_eq!(version, describe(&mut plane, &arn)["version"]);
}

#[test]
fn an_end_that_came_before_it_was_asked_for_keeps_times_in_order() {
    let (mut plane, arn) = plane();
    let long_ago = plane.now - Duration::from_secs(60);
    plane.ok("StopTask", json!({ "task": arn }));
    plane.report("n1", |spec| Some(TaskStatus { stopped_at: Some(long_ago), ..status(spec, TaskPhase::Stopped) }));
    let task = describe(&mut plane, &arn);
    assert_eq!((&task["stoppingAt"], &task["stoppedAt"]), (&task["stoppedAt"], &json!(long_ago.millis() / 1000)));
}

#[test]
fn a_repeated_report_writes_nothing() {
    let (mut plane, _) = plane();
    assert_eq!(plane.report("n1", obedient), 3, "the task, its history and an event");
    assert_eq!(plane.report("n1", obedient), 0);
}

#[test]
fn an_overtaken_report_changes_nothing() {
    let (mut plane, arn) = plane();
    plane.report("n1", say(TaskPhase::Running));
    let before = describe(&mut plane, &arn);
    assert_eq!(plane.report("n1", say(TaskPhase::Pending)), 0);
    assert_eq!(describe(&mut plane, &arn), before);
}

#[test]
fn health_is_no_event() {
    let (mut plane, arn) = plane();
    plane.report("n1", obedient);
    let version = describe(&mut plane, &arn)["version"].clone();
    let healthy = |spec: &TaskSpec| {
        let mut status = status(spec, TaskPhase::Running);
        status.containers[0].health = workload::Health::Healthy;
        Some(status)
    };
    assert_eq!(plane.report("n1", healthy), 2, "the task and its history");
    assert_eq!(describe(&mut plane, &arn)["version"], version);
}

#[test]
fn a_task_its_node_does_not_have_is_lost_once_the_node_was_told() {
    let (mut plane, arn) = plane();
    let told = plane.sent["n1"].clone();
    plane.sent.get_mut("n1").unwrap().generation = 0;
    plane.report("n1", |_| None);
    assert_eq!(describe(&mut plane, &arn)["lastStatus"], "PENDING");
    plane.sent.insert("n1".into(), told);
    plane.report("n1", |_| None);
    expect!["STOPPED STOPPED v2 STOPPED | TaskFailedToStart: The node that the task was placed on does not have it any more | stoppingAt stoppedAt"].assert_eq(&shown(&describe(&mut plane, &arn)));
}

#[test]
fn a_node_is_rid_of_a_task_that_is_forgotten_as_it_stops() {
    let (mut plane, arn) = plane();
    plane.write(|tx| crate::task::set_stopped_task_retention(tx, Duration::ZERO));
    plane.ok("StopTask", json!({ "task": arn }));
    assert_eq!(plane.sent["n1"].tasks.len(), 1);
    plane.report("n1", obedient);
    assert_eq!((plane.core.image().len::<crate::task::Task>(), plane.sent["n1"].tasks.len()), (0, 0));
}

#[test]
fn a_restarted_plane_and_a_returning_node_go_on() {
    let (mut plane, arn) = plane();
    plane.report("n1", obedient);
    let connectivity = |plane: &mut Plane| describe(plane, &arn)["connectivity"].clone();
    assert_eq!(connectivity(&mut plane), "CONNECTED");
    plane.leave("n1");
    assert_eq!(connectivity(&mut plane), "DISCONNECTED");
    plane.join(crate::testing::facts("n1"));
    assert_eq!(connectivity(&mut plane), "CONNECTED");
    plane.restart();
    assert_eq!(connectivity(&mut plane), "DISCONNECTED", "nobody has said hello to the new one");
    let instances = |plane: &Plane| plane.core.image().len::<crate::container_instance::ContainerInstance>();
    plane.join(crate::testing::facts("n1"));
    assert_eq!((plane.sent["n1"].tasks.len(), instances(&plane)), (1, 1));
    assert_eq!(plane.report("n1", obedient), 0);
    assert_eq!(describe(&mut plane, &arn)["lastStatus"], "RUNNING");
}

#[test]
fn stopped_tasks_are_forgotten_after_an_hour() {
    let (mut plane, arn) = plane();
    plane.ok("StopTask", json!({ "task": arn }));
    plane.report("n1", obedient);
    plane.pass(Duration::from_secs(3599));
    assert_eq!(describe(&mut plane, &arn)["lastStatus"], "STOPPED");
    assert_eq!(plane.core.next_wake(), Some(plane.now + Duration::from_secs(1)));
    plane.pass(Duration::from_secs(1));
    let answer = plane.ok("DescribeTasks", json!({ "tasks": [arn] }));
    assert_eq!((&answer["tasks"], &answer["failures"][0]["reason"]), (&json!([]), &json!("MISSING")));
}

#[test]
fn the_hour_begins_when_the_end_is_heard_of() {
    let (mut plane, arn) = plane();
    let long_ago = plane.now - Duration::from_secs(7200);
    plane.report("n1", |spec| Some(TaskStatus { stopped_at: Some(long_ago), ..status(spec, TaskPhase::Stopped) }));
    plane.pass(Duration::from_secs(3599));
    assert_eq!(describe(&mut plane, &arn)["stoppedAt"], json!(long_ago.millis() / 1000));
}

#[test]
fn the_retention_can_be_another() {
    let (mut plane, arn) = plane();
    plane.ok("StopTask", json!({ "task": arn }));
    plane.report("n1", obedient);
    plane.write(|tx| crate::task::set_stopped_task_retention(tx, Duration::from_secs(60)));
    assert_eq!(plane.core.next_wake(), Some(plane.now + Duration::from_secs(60)));
    plane.pass(Duration::from_secs(60));
    assert_eq!(plane.core.image().len::<crate::task::Task>(), 0);
}

#[test]
fn an_interface_has_the_address_the_node_gave() {
    let mut plane = Plane::with_node();
    let definition = json!({ "networkMode": "awsvpc", "containerDefinitions": [{ "name": "a", "image": "b", "memory": 64 }] });
    plane.define("net", definition);
    let network = json!({ "awsvpcConfiguration": { "subnets": ["subnet-1"] } });
    let arn = plane.ok("RunTask", json!({ "taskDefinition": "net", "networkConfiguration": network }))["tasks"][0]["taskArn"]
        .as_str()
        .unwrap()
        .to_owned();
    let address = Address { ipv4: "10.0.0.7".into(), mac: "0a:00:00:00:00:07".into(), ..Default::default() };
    plane.report("n1", |spec| Some(TaskStatus { address: Some(address.clone()), ..status(spec, TaskPhase::Running) }));
    let task = describe(&mut plane, &arn);
    let pairs = task["attachments"][0]["details"].as_array().unwrap().iter();
    let details: Vec<String> = pairs.map(|pair| format!("{}={}", pair["name"], pair["value"])).collect();
    assert_eq!(task["attachments"][0]["status"], "ATTACHED");
    assert_eq!(task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"], "10.0.0.7");
    expect![[r#"
        "subnetId"="subnet-1"
        "networkInterfaceId"="eni-06c996e5945704a5a"
        "macAddress"="0a:00:00:00:00:07"
        "privateDnsName"="ip-10-0-0-7.ec2.internal"
        "privateIPv4Address"="10.0.0.7""#]]
    .assert_eq(&details.join("\n"));
}

#[test]
fn exit_codes_and_reasons_are_told() {
    let (mut plane, arn) = plane();
    plane.report("n1", |spec| {
        let mut status = TaskStatus { cause: Some(StopCause::EssentialContainerExited), ..status(spec, TaskPhase::Stopped) };
        let container = &mut status.containers[0];
        (container.phase, container.exit_code) = (ContainerPhase::Stopped, Some(137));
        container.reason = Some("OutOfMemoryError: Container killed due to memory usage".into());
        Some(status)
    });
    let container = describe(&mut plane, &arn)["containers"][0].clone();
    assert_eq!(container["exitCode"], 137);
    assert_eq!(container["reason"], "OutOfMemoryError: Container killed due to memory usage");
}

#[test]
fn lists_are_filtered() {
    let (mut plane, _) = plane();
    plane.ok("RunTask", json!({ "taskDefinition": "job", "count": 3, "startedBy": "me" }));
    let mut count = |body: Value| plane.ok("ListTasks", body)["taskArns"].as_array().unwrap().len();
    assert_eq!(count(json!({})), 4);
    assert_eq!(count(json!({ "startedBy": "me" })), 3);
    assert_eq!(count(json!({ "family": "job" })), 4);
    assert_eq!(count(json!({ "family": "jo" })), 0);
    assert_eq!(count(json!({ "desiredStatus": "STOPPED" })), 0);
    assert_eq!(count(json!({ "desiredStatus": "PENDING" })), 0);
    assert_eq!(count(json!({ "launchType": "FARGATE" })), 0);
    assert_eq!(count(json!({ "maxResults": 3 })), 3);
}
