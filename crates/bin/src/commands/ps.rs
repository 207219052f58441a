//! `slipway ps`: the tasks there are, over all clusters.

use super::output::{Output, age, name, print_json, print_table, text};
use crate::client::{Client, empty};
use http_body_util::BodyExt;
use serde_json::Value;

const HEAD: [&str; 9] = ["TASK", "CLUSTER", "SERVICE", "DEFINITION", "LAST", "DESIRED", "HEALTH", "AGE", "ADDRESSES"];

pub async fn run(client: &Client, all: bool, cluster: Option<&str>, output: Output) -> anyhow::Result<()> {
    let cluster = cluster.map(|name| format!("&cluster={name}")).unwrap_or_default();
    let answer = client.own("GET", &format!("tasks?all={}{cluster}", u8::from(all)), empty()).await?;
    let tasks: Value = serde_json::from_slice(&answer.into_body().collect().await?.to_bytes())?;
    match output {
        Output::Json => print_json(&tasks),
        Output::Text => print_table(&rows(&tasks)),
    }
    Ok(())
}

/// The newest first, as what somebody looks for mostly is.
fn rows(tasks: &Value) -> Vec<Vec<String>> {
    let mut tasks: Vec<&Value> = tasks.as_array().into_iter().flatten().collect();
    tasks.sort_by(|a, b| b["createdAt"].as_f64().unwrap_or_default().total_cmp(&a["createdAt"].as_f64().unwrap_or_default()));
    std::iter::once(HEAD.map(str::to_owned).to_vec()).chain(tasks.into_iter().map(row)).collect()
}

fn row(task: &Value) -> Vec<String> {
    vec![
        name(text(task, "taskArn")).to_owned(),
        name(text(task, "clusterArn")).to_owned(),
        text(task, "group").strip_prefix("service:").unwrap_or("-").to_owned(),
        name(text(task, "taskDefinitionArn")).to_owned(),
        text(task, "lastStatus").to_owned(),
        text(task, "desiredStatus").to_owned(),
        text(task, "healthStatus").to_owned(),
        age(&task["createdAt"]),
        addresses(task),
    ]
}

/// `10.0.0.5` of a task that has an address, `0.0.0.0:32768->80/tcp` of published ports.
fn addresses(task: &Value) -> String {
    let containers = || task["containers"].as_array().into_iter().flatten();
    let own = containers().flat_map(|c| c["networkInterfaces"].as_array().into_iter().flatten());
    let mut all: Vec<String> = own.map(|interface| text(interface, "privateIpv4Address").to_owned()).collect();
    all.dedup();
    let bindings = containers().flat_map(|c| c["networkBindings"].as_array().into_iter().flatten());
    all.extend(bindings.map(|binding| {
        let (ip, protocol) = (text(binding, "bindIP"), text(binding, "protocol"));
        format!("{ip}:{}->{}/{protocol}", binding["hostPort"], binding["containerPort"])
    }));
    if all.is_empty() { "-".into() } else { all.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::output::table;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_task_is_a_line() {
        let arn = |kind: &str, rest: &str| format!("arn:aws:ecs:us-east-1:123456789012:{kind}/{rest}");
        let task = |id: &str, group: &str, created_at: u64, containers: Value| {
            json!({ "taskArn": arn("task", &format!("demo/{id}")), "clusterArn": arn("cluster", "demo"), "lastStatus": "RUNNING",
                "desiredStatus": "RUNNING", "healthStatus": "UNKNOWN", "taskDefinitionArn": arn("task-definition", "web:3"),
                "createdAt": created_at, "containers": containers, "group": group })
        };
        let binding = json!({ "bindIP": "0.0.0.0", "hostPort": 32768, "containerPort": 80, "protocol": "tcp" });
        let interface = json!({ "privateIpv4Address": "172.29.0.5" });
        let bridge = task("aaaa", "service:site", 1, json!([{ "networkBindings": [binding], "networkInterfaces": [] }, {}]));
        let awsvpc =
            task("bbbb", "family:web", 2, json!([{ "networkInterfaces": [interface] }, { "networkInterfaces": [interface] }]));
        let mut rows = rows(&json!([bridge, awsvpc, task("cccc", "mine", 0, json!([]))]));
        rows.iter_mut().skip(1).for_each(|row| row[7] = "?".into()); // the age, which is the clock's
        expect![[r#"
            TASK  CLUSTER  SERVICE  DEFINITION  LAST     DESIRED  HEALTH   AGE  ADDRESSES
            bbbb  demo     -        web:3       RUNNING  RUNNING  UNKNOWN  ?    172.29.0.5
            aaaa  demo     site     web:3       RUNNING  RUNNING  UNKNOWN  ?    0.0.0.0:32768->80/tcp
            cccc  demo     -        web:3       RUNNING  RUNNING  UNKNOWN  ?    -
        "#]]
        .assert_eq(&table(&rows));
    }
}
