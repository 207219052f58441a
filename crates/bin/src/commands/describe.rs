//! `slipway describe NAME`: what a task is, and every change of its state with its time and its cause; or a service with its
//! deployments, tasks and events.

use super::output::{Output, date, name, print_json, print_table, text};
use super::{say, service};
use crate::client::{Client, empty};
use http_body_util::BodyExt;
use serde_json::Value;

pub async fn run(client: &Client, what: &str, cluster: Option<&str>, output: Output) -> anyhow::Result<()> {
    let path = format!("describe?name={what}&cluster={}", name(cluster.unwrap_or_default()));
    let answer = client.own("GET", &path, empty()).await?;
    let described: Value = serde_json::from_slice(&answer.into_body().collect().await?.to_bytes())?;
    if output == Output::Json {
        print_json(&described);
        return Ok(());
    }
    if service::is_service(&described) {
        service::describe(&described);
        return Ok(());
    }
    print_table(&facts(&described));
    say("");
    print_table(&history(&described));
    Ok(())
}

fn facts(described: &Value) -> Vec<Vec<String>> {
    let task = &described["task"];
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let mut rows = vec![row("Task", text(described, "taskArn").to_owned())];
    rows.push(row("Definition", text(described, "taskDefinition").to_owned()));
    if task.is_null() {
        rows.push(row("Status", "stopped and forgotten; its history is kept".into()));
        return rows;
    }
    rows.push(row("Status", format!("{} (desired {})", text(task, "lastStatus"), text(task, "desiredStatus"))));
    for (label, member) in
        [("Launch type", "launchType"), ("Instance", "containerInstanceArn"), ("Group", "group"), ("Stopped", "stoppedReason")]
    {
        if !text(task, member).is_empty() {
            rows.push(row(label, text(task, member).to_owned()));
        }
    }
    let containers = task["containers"].as_array().into_iter().flatten();
    rows.extend(containers.map(|container| row(&format!("Container {}", text(container, "name")), state(container))));
    rows
}

fn state(container: &Value) -> String {
    let exit = container["exitCode"].as_i64().map(|code| format!(", exit code {code}")).unwrap_or_default();
    let reason = container["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{}{exit}{reason} ({})", text(container, "lastStatus"), text(container, "image"))
}

fn history(described: &Value) -> Vec<Vec<String>> {
    let row = |entry: &Value| {
        let who = entry["container"].as_str().unwrap_or("task");
        vec![date(&entry["at"]), who.to_owned(), text(entry, "state").to_owned(), text(entry, "cause").to_owned()]
    };
    let entries = described["history"].as_array().into_iter().flatten().map(row);
    std::iter::once(["TIME", "WHO", "STATE", "CAUSE"].map(str::to_owned).to_vec()).chain(entries).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::output::table;
    use expect_test::{Expect, expect};
    use serde_json::json;

    fn check(task: Value, expected: Expect) {
        let described = json!({ "taskArn": "arn:aws:ecs:us-east-1:123456789012:task/demo/aaaa", "taskDefinition": "web:3", "task": task,
            "history": [{ "at": 1.5, "container": null, "state": "PENDING", "cause": "placed on n1" },
                        { "at": 2, "container": "app", "state": "STOPPED", "cause": "exit code 7" }] });
        expected.assert_eq(&(table(&facts(&described)) + &table(&history(&described))));
    }

    #[test]
    fn a_task_is_told_with_its_history() {
        check(
            json!({ "lastStatus": "STOPPED", "desiredStatus": "STOPPED", "launchType": "EC2", "stoppedReason": "Essential container in task exited",
                "containers": [{ "name": "app", "lastStatus": "STOPPED", "exitCode": 7, "image": "busybox" }] }),
            expect![[r#"
                Task           arn:aws:ecs:us-east-1:123456789012:task/demo/aaaa
                Definition     web:3
                Status         STOPPED (desired STOPPED)
                Launch type    EC2
                Stopped        Essential container in task exited
                Container app  STOPPED, exit code 7 (busybox)
                TIME                      WHO   STATE    CAUSE
                1970-01-01T00:00:01.500Z  task  PENDING  placed on n1
                1970-01-01T00:00:02.000Z  app   STOPPED  exit code 7
            "#]],
        );
    }

    #[test]
    fn history_is_told_without_the_task() {
        check(
            Value::Null,
            expect![[r#"
            Task        arn:aws:ecs:us-east-1:123456789012:task/demo/aaaa
            Definition  web:3
            Status      stopped and forgotten; its history is kept
            TIME                      WHO   STATE    CAUSE
            1970-01-01T00:00:01.500Z  task  PENDING  placed on n1
            1970-01-01T00:00:02.000Z  app   STOPPED  exit code 7
        "#]],
        );
    }
}
