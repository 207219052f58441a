//! How a service is told: what it is and how it goes (`describe`), and what it waits for (`explain`).

use super::output::{age, date, name, print_table, text};
use super::{explain, say};
use serde_json::Value;

const NEWEST: usize = 10;

/// An answer about a service, not about a task.
pub fn is_service(answer: &Value) -> bool {
    answer.get("service").is_some()
}

pub fn describe(told: &Value) {
    let places = explain::rows(&told["placement"]);
    let tables = [facts(told), waits(told), places, deployments(told), tasks(told), events(told)];
    let tables = tables.iter().filter(|table| !table.is_empty());
    for (at, table) in tables.enumerate() {
        if at > 0 {
            say("");
        }
        print_table(table);
    }
}

/// What `explain` says before it comes to nodes.
pub fn explain(told: &Value) {
    say(summary(told));
    if !waits(told).is_empty() {
        print_table(&waits(told));
    }
}

fn summary(told: &Value) -> String {
    let service = &told["service"];
    let steady = if told["steady"] == true { "steady" } else { "not steady" };
    let (name, cluster) = (text(service, "serviceName"), name(text(service, "clusterArn")));
    format!("{name} in {cluster} is {steady}: {} of {} tasks are running", service["runningCount"], service["desiredCount"])
}

fn facts(told: &Value) -> Vec<Vec<String>> {
    let service = &told["service"];
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let steady = if told["steady"] == true { "steady" } else { "not steady" };
    let (desired, running, pending) = (&service["desiredCount"], &service["runningCount"], &service["pendingCount"]);
    vec![
        row("Service", text(service, "serviceArn").to_owned()),
        row("Definition", name(text(service, "taskDefinition")).to_owned()),
        row("Status", format!("{}, {steady}", text(service, "status"))),
        row("Strategy", text(service, "schedulingStrategy").to_owned()),
        row("Tasks", format!("{desired} desired, {running} running, {pending} pending")),
        row("Bounds", format!("at least {} healthy, at most {} in all", told["minimum"], told["maximum"])),
    ]
}

fn with_head<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Vec<Vec<String>> {
    let rows: Vec<Vec<String>> = rows.map(|row| row.to_vec()).collect();
    let head = (!rows.is_empty()).then(|| head.map(str::to_owned).to_vec());
    head.into_iter().chain(rows).collect()
}

fn list<'a>(value: &'a Value, member: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value[member].as_array().into_iter().flatten()
}

fn waits(told: &Value) -> Vec<Vec<String>> {
    let row = |wait: &Value| [text(wait, "reason").to_owned(), date(&wait["until"]), text(wait, "detail").to_owned()];
    with_head(["WAITS FOR", "UNTIL", "DETAIL"], list(told, "waits").map(row))
}

/// The API has the deployments and their revisions in the same order.
fn deployments(told: &Value) -> Vec<Vec<String>> {
    let service = &told["service"];
    let revisions = list(service, "currentServiceRevisions").map(|revision| name(text(revision, "arn")));
    let row = |(deployment, revision): (&Value, &str)| {
        let count = |member: &str| deployment[member].to_string();
        [
            text(deployment, "id").to_owned(),
            text(deployment, "status").to_owned(),
            revision.to_owned(),
            name(text(deployment, "taskDefinition")).to_owned(),
            text(deployment, "rolloutState").to_owned(),
            count("desiredCount"),
            count("runningCount"),
            count("pendingCount"),
            count("failedTasks"),
            age(&deployment["createdAt"]),
        ]
    };
    let head = ["DEPLOYMENT", "STATUS", "REVISION", "DEFINITION", "ROLLOUT", "DESIRED", "RUNNING", "PENDING", "FAILED", "AGE"];
    with_head(head, list(service, "deployments").zip(revisions).map(row))
}

fn tasks(told: &Value) -> Vec<Vec<String>> {
    let row = |task: &Value| {
        let or_none = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        [
            name(text(task, "taskArn")).to_owned(),
            or_none(text(task, "deployment")),
            text(task, "lastStatus").to_owned(),
            text(task, "desiredStatus").to_owned(),
            text(task, "healthStatus").to_owned(),
            or_none(text(task, "node")),
            or_none(text(task, "availabilityZone")),
            or_none(name(text(task, "containerInstanceArn"))),
        ]
    };
    with_head(["TASK", "DEPLOYMENT", "LAST", "DESIRED", "HEALTH", "NODE", "ZONE", "INSTANCE"], list(told, "tasks").map(row))
}

fn events(told: &Value) -> Vec<Vec<String>> {
    let row = |event: &Value| [date(&event["createdAt"]), text(event, "message").to_owned()];
    with_head(["TIME", "EVENT"], list(&told["service"], "events").take(NEWEST).map(row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::output::table;
    use expect_test::expect;
    use serde_json::json;

    fn arn(rest: &str) -> String {
        format!("arn:aws:ecs:us-east-1:123456789012:{rest}")
    }

    fn told() -> Value {
        let deployment = json!({ "id": "ecs-svc/12", "status": "PRIMARY", "taskDefinition": arn("task-definition/web:3"),
            "rolloutState": "IN_PROGRESS", "desiredCount": 2, "runningCount": 1, "pendingCount": 0, "failedTasks": 1 });
        json!({
            "service": { "serviceArn": arn("service/demo/web"), "serviceName": "web", "clusterArn": arn("cluster/demo"),
                "taskDefinition": arn("task-definition/web:3"), "status": "ACTIVE", "schedulingStrategy": "REPLICA",
                "desiredCount": 2, "runningCount": 1, "pendingCount": 0, "deployments": [deployment],
                "currentServiceRevisions": [{ "arn": arn("service-revision/demo/web/77") }],
                "events": [{ "createdAt": 2, "message": "(service web) has started 1 tasks: (task aaaa)." }] },
            "steady": false, "minimum": 1, "maximum": 4,
            "waits": [{ "reason": "THROTTLING", "detail": "ecs-svc/12 starts nothing", "until": 9.5 }],
            "tasks": [{ "taskArn": arn("task/demo/aaaa"), "deployment": "ecs-svc/12", "lastStatus": "RUNNING",
                "desiredStatus": "RUNNING", "healthStatus": "HEALTHY", "node": "n1", "availabilityZone": "us-east-1a",
                "containerInstanceArn": arn("container-instance/demo/bbbb") }],
        })
    }

    #[test]
    fn a_service_is_told_with_its_deployments_tasks_and_events() {
        let told = told();
        let tables = [facts(&told), waits(&told), deployments(&told), tasks(&told), events(&told)];
        expect![[r#"
            Service     arn:aws:ecs:us-east-1:123456789012:service/demo/web
            Definition  web:3
            Status      ACTIVE, not steady
            Strategy    REPLICA
            Tasks       2 desired, 1 running, 0 pending
            Bounds      at least 1 healthy, at most 4 in all

            WAITS FOR   UNTIL                     DETAIL
            THROTTLING  1970-01-01T00:00:09.500Z  ecs-svc/12 starts nothing

            DEPLOYMENT  STATUS   REVISION  DEFINITION  ROLLOUT      DESIRED  RUNNING  PENDING  FAILED  AGE
            ecs-svc/12  PRIMARY  77        web:3       IN_PROGRESS  2        1        0        1       -

            TASK  DEPLOYMENT  LAST     DESIRED  HEALTH   NODE  ZONE        INSTANCE
            aaaa  ecs-svc/12  RUNNING  RUNNING  HEALTHY  n1    us-east-1a  bbbb

            TIME                      EVENT
            1970-01-01T00:00:02.000Z  (service web) has started 1 tasks: (task aaaa).
        "#]]
        .assert_eq(&tables.iter().map(|rows| table(rows)).collect::<Vec<_>>().join("\n"));
        expect!["web in demo is not steady: 1 of 2 tasks are running"].assert_eq(&summary(&told));
    }

    #[test]
    fn there_is_no_table_of_nothing() {
        assert_eq!(waits(&json!({ "waits": [] })), Vec::<Vec<String>>::new());
    }
}
