use super::*;
use crate::testing::{Plane, status};
use expect_test::{Expect, expect};
use serde_json::json;
use workload::{StopCause, TaskSpec, TaskStatus};

fn plane() -> (Plane, String) {
    let mut plane = Plane::with_node();
    plane.define("job", json!({ "containerDefinitions": [{ "name": "a", "image": "busybox", "memory": 64 }] }));
    let answer = plane.ok("RunTask", json!({ "taskDefinition": "job", "startedBy": "me" }));
    let arn = answer["tasks"][0]["taskArn"].as_str().unwrap().to_owned();
    (plane, arn)
}

const ACCOUNT: &str = "123456789012";

fn history<'a>(plane: &'a Plane, arn: &'a str) -> Option<Cow<'a, History>> {
    find(plane.core.image(), ACCOUNT, arn.rsplit('/').next().unwrap()).next()
}

/// Seconds since the task was made, who, what, why.
fn check(plane: &Plane, arn: &str, expected: Expect) {
    let entries = &history(plane, arn).expect("it has a history").entries;
    let line = |entry: &Entry| {
        let (who, why) = (entry.container.as_deref().unwrap_or("task"), entry.cause.as_deref().unwrap_or("-"));
        format!("{} {who} {} ({why})\n", entry.at.since(entries[0].at).as_secs(), entry.state)
    };
    expected.assert_eq(&entries.iter().map(line).collect::<String>());
}

fn say(phase: TaskPhase) -> impl Fn(&TaskSpec) -> Option<TaskStatus> {
    move |spec| Some(status(spec, phase))
}

#[test]
fn every_change_is_there_with_its_time_and_cause() {
    let (mut plane, arn) = plane();
    for phase in [TaskPhase::Activating, TaskPhase::Running] {
        plane.pass(Duration::from_secs(1));
        plane.report("n1", say(phase));
        plane.report("n1", say(phase));
    }
    plane.pass(Duration::from_secs(60));
    plane.ok("StopTask", json!({ "task": arn, "reason": "enough" }));
    plane.pass(Duration::from_secs(5));
    plane.report("n1", |spec| {
        let mut said = status(spec, TaskPhase::Stopped);
        said.containers[0].exit_code = Some(137);
        Some(said)
    });
    check(
        &plane,
        &arn,
        expect![[r#"
            0 task PENDING (started by me, placed on n1)
            1 task ACTIVATING (-)
            2 a RUNNING (-)
            2 task RUNNING (-)
            62 task STOPPED is desired (UserInitiated: enough)
            67 a STOPPED (exit code 137)
            67 task STOPPED (-)
        "#]],
    );
}

#[test]
fn an_end_nobody_asked_for_says_why() {
    let (mut plane, arn) = plane();
    plane.pass(Duration::from_secs(3));
    plane.report("n1", |spec| {
        let cause = Some(StopCause::FailedToStart("CannotPullContainerError: no such image".into()));
        Some(TaskStatus { cause, ..status(spec, TaskPhase::Stopped) })
    });
    check(
        &plane,
        &arn,
        expect![[r#"
            0 task PENDING (started by me, placed on n1)
            3 a STOPPED (-)
            3 task STOPPED is desired (TaskFailedToStart: CannotPullContainerError: no such image)
            3 task STOPPED (-)
        "#]],
    );
}

#[test]
fn restarts_and_health_are_changes_too() {
    let (mut plane, arn) = plane();
    for (restarts, health) in [(0, Health::Unknown), (0, Health::Healthy), (1, Health::Healthy), (2, Health::Unhealthy)] {
        plane.pass(Duration::from_secs(1));
        plane.report("n1", |spec| {
            let mut said = status(spec, TaskPhase::Running);
            let container = &mut said.containers[0];
            (container.restart_count, container.health) = (restarts, health);
            container.exit_code = (restarts > 0).then_some(3);
            Some(said)
        });
    }
    check(
        &plane,
        &arn,
        expect![[r#"
            0 task PENDING (started by me, placed on n1)
            1 a RUNNING (-)
            1 task RUNNING (-)
            2 a HEALTHY (-)
            3 a RESTARTING for the 1st time (its last run: exit code 3)
            3 a RUNNING (-)
            4 a RESTARTING for the 2nd time (its last run: exit code 3)
            4 a RUNNING (-)
            4 a UNHEALTHY (-)
        "#]],
    );
}

#[test]
fn it_outlives_the_task_by_a_week_and_a_restart_of_the_plane() {
    let (mut plane, arn) = plane();
    plane.report("n1", say(TaskPhase::Stopped));
    let exists = |plane: &Plane| history(plane, &arn).is_some();
    plane.pass(Duration::from_secs(2 * 3600));
    let gone = plane.ok("DescribeTasks", json!({ "tasks": [arn] }));
    assert_eq!((gone["failures"][0]["reason"].as_str(), exists(&plane)), (Some("MISSING"), true));
    plane.restart();
    plane.pass(Duration::from_secs(TASK_HISTORY_RETENTION_SECONDS - 2 * 3600 - 1));
    assert!(exists(&plane));
    plane.pass(Duration::from_secs(1));
    assert!(!exists(&plane));
}

#[test]
fn of_a_task_to_which_nothing_has_happened_it_says_that_it_was_made() {
    let (plane, arn) = plane();
    check(
        &plane,
        &arn,
        expect![[r#"
            0 task PENDING (started by me, placed on n1)
        "#]],
    );
    assert_eq!(plane.core.image().len::<History>(), 0);
}

#[test]
fn a_long_history_keeps_its_beginning_and_its_end() {
    let (plane, arn) = plane();
    let mut long = history(&plane, &arn).unwrap().into_owned();
    let entry = |at: u64| Entry { at: Time(at), container: None, state: String::new(), cause: None };
    long.entries.clear();
    (0..500).for_each(|at| long.extend(vec![entry(at)]));
    let times: Vec<u64> = long.entries.iter().map(|entry| entry.at.0).collect();
    let (first, newest) = times.split_at(FIRST_KEPT);
    assert_eq!(first, (0..FIRST_KEPT as u64).collect::<Vec<_>>());
    assert_eq!(newest, (500 - newest.len() as u64..500).collect::<Vec<_>>());
    assert_eq!((times.len(), long.left_out), (TASK_HISTORY_ENTRIES, 500 - TASK_HISTORY_ENTRIES as u64));
}
