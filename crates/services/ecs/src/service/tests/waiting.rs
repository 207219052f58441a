//! What a service is said to wait for, in the words of `deciding`, and which places are explained.

use super::deciding::{service, situation};
use crate::service::sentences::STUCK;
use crate::service::waits::waits;
use crate::service::{Complaint, Service, standing};
use crate::testing::{Plane, facts, obedient, scope};
use base::Time;
use expect_test::{Expect, expect};
use serde_json::json;

fn check(wants: &str, has: &str, expected: Expect) {
    say(&service(wants), wants, has, expected);
}

fn say(service: &Service, wants: &str, has: &str, expected: Expect) {
    let line = |wait: crate::service::waits::Wait| {
        let until = wait.until.map(|until| format!(" until {until}")).unwrap_or_default();
        format!("{}{until}: {}", wait.reason, wait.detail)
    };
    expected.assert_eq(&waits(&situation(service, wants, has)).into_iter().map(line).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_steady_service_waits_for_nothing() {
    check("desired=2 v1=done", "a:v1:H b:v1:H", expect![""]);
}

#[test]
fn a_deployment_waits_for_the_health_of_new_tasks() {
    let has = "a:v2:S b:v2:R c:v1:H d:v1:H e:v1:X";
    check(
        "desired=2 v2=progress v1=done",
        has,
        expect![[r#"
        START: 1 tasks are starting
        HEALTH until 1030: 1 tasks run and do not count as healthy yet
        OLDER TASKS: 2 tasks of older deployments are left; 2 healthy tasks are needed
        STOP: 1 tasks are stopping"#]],
    );
    check(
        "desired=1 v1=done",
        "a:v1:U b:v1:R",
        expect![[r#"
        HEALTH until 1030: 1 tasks run and do not count as healthy yet
        UNHEALTHY: 1 tasks fail their health checks and are to be replaced"#]],
    );
}

#[test]
fn what_has_no_place_waits_for_one() {
    check("desired=3 v1=progress unplaced", "a:v1:H", expect!["PLACE: 2 tasks have no place"]);
    check(
        "desired=1 v1=done unplaced",
        "a:v1:Hd",
        expect![[r#"
        PLACE: 1 tasks have no place
        DRAINING: 1 tasks are on instances that drain"#]],
    );
}

#[test]
fn who_fails_is_held_back_until_the_breaker_ends_it() {
    check(
        "desired=2 v1=progress failures=2 setbacks=4 throttled=9 breaker",
        "",
        expect![[r#"
        THROTTLING until 1009: ecs-svc/v1 starts nothing: that failed 4 times in a row
        CIRCUIT BREAKER: 2 tasks failed, at 3 the deployment does"#]],
    );
    check(
        "desired=2 v1=progress failures=2",
        "a:v1:S b:v1:S",
        expect![[r#"
        START: 2 tasks are starting
        FAILURES: 2 tasks failed; there is no circuit breaker to end that"#]],
    );
    check(
        "desired=2 v2=failed v1=done",
        "a:v1:H",
        expect![[r#"
        FAILED:  It starts no more tasks.
        OLDER TASKS: 1 tasks of older deployments are left; 2 healthy tasks are needed"#]],
    );
}

#[test]
fn protected_tasks_hold_a_deployment() {
    check(
        "desired=1 min=0 max=100 v2=progress v1=done",
        "a:v1:Hp",
        expect![[r#"
        MAXIMUM: 1 tasks are missing; 1 are there, and there may be no more than 1
        OLDER TASKS: 1 tasks of older deployments are left; 0 healthy tasks are needed
        PROTECTION until 1060: 1 tasks are protected from scale-in"#]],
    );
    check("desired=1 v1=done", "a:v1:Hp b:v1:H", expect!["PROTECTION until 1060: 1 tasks are protected from scale-in"]);
    // Where nothing is to go, protection holds nothing up.
    check("desired=2 v1=done", "a:v1:Hp b:v1:R", expect!["HEALTH until 1030: 1 tasks run and do not count as healthy yet"]);
}

#[test]
fn bounds_without_room_are_said() {
    let wants = "desired=1 min=100 max=100 v2=progress v1=done";
    let complaint = Some(Complaint { cause: STUCK.to_owned(), said_at: Time(0) });
    say(
        &Service { complaint, ..service(wants) },
        wants,
        "a:v1:H",
        expect![[r#"
        MAXIMUM: 1 tasks are missing; 1 are there, and there may be no more than 1
        BOUNDS: it was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.
        OLDER TASKS: 1 tasks of older deployments are left; 1 healthy tasks are needed"#]],
    );
}

#[test]
fn a_deleted_service_waits_for_its_tasks() {
    check(
        "desired=2 deleted v1=done",
        "a:v1:X b:v1:Hp",
        expect![[r#"
        DELETION: it is deleted once its 2 tasks have stopped
        STOP: 1 tasks are stopping"#]],
    );
}

#[test]
fn a_daemon_is_explained_where_it_is_missing() {
    let mut plane = Plane::with_node();
    let container = json!({ "name": "a", "image": "b", "memory": 500, "essential": true });
    plane.define("log", json!({ "containerDefinitions": [container] }));
    plane.join(workload::NodeFacts { memory_mib: 256, ..facts("n2") });
    plane.ok("CreateService", json!({ "serviceName": "log", "taskDefinition": "log", "schedulingStrategy": "DAEMON" }));
    plane.report("n1", obedient);
    let image = plane.core.image();
    let service = image.get(crate::service::key(&scope(), "default", "log").as_str()).expect("it was made");
    let standing = standing(image, service, Time(1_700_000_000_000));
    let nodes = standing.placement.expect("one has no place").nodes;
    let lines: Vec<String> = nodes.iter().map(|node| format!("{} {:?}", node.node, node.detail)).collect();
    expect![[r#"n2 Some("500 MiB are wanted, 256 of 256 are left")"#]].assert_eq(&lines.join("\n"));
    let waits: Vec<&str> = standing.waits.iter().map(|wait| &wait.detail[..]).collect();
    expect![[r#"
        1 tasks have no place
        1 tasks run and do not count as healthy yet"#]]
    .assert_eq(&waits.join("\n"));
}
