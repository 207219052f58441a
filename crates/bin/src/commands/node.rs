//! `slipway node`: the nodes of a server, and what may happen to machines: they die, come back, and are drained.

use super::output::{Output, name, print_json, print_table, text};
use super::say;
use crate::client::{Client, empty};
use anyhow::{Context, bail};
use http_body_util::BodyExt;
use serde_json::{Value, json};

const HEAD: [&str; 10] = ["NODE", "STATE", "ZONE", "GROUP", "ADDRESS", "CPU LEFT", "MEMORY LEFT", "TASKS", "STATUS", "INSTANCE"];

#[derive(clap::Subcommand)]
pub enum Node {
    /// Lists them, with what each has left to give
    Ls {
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// As if the machine died: its containers are killed, and their tasks STOPPED
    Stop(One),
    /// Boots a stopped one again, with nothing running
    Start(One),
    /// Lets it have no new tasks (UpdateContainerInstancesState to DRAINING, in each of its clusters)
    Drain(One),
    /// Takes drain back
    Activate(One),
}

#[derive(clap::Args)]
pub struct One {
    name: String,
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub async fn run(client: &Client, node: Node) -> anyhow::Result<()> {
    match node {
        Node::Ls { output } => show(&all(client).await?, output),
        Node::Stop(one) => switch(client, &one, "stop").await?,
        Node::Start(one) => switch(client, &one, "start").await?,
        Node::Drain(one) => update(client, &one, "DRAINING").await?,
        Node::Activate(one) => update(client, &one, "ACTIVE").await?,
    }
    Ok(())
}

async fn all(client: &Client) -> anyhow::Result<Value> {
    let answer = client.own("GET", "nodes", empty()).await?;
    Ok(serde_json::from_slice(&answer.into_body().collect().await?.to_bytes())?)
}

async fn switch(client: &Client, one: &One, verb: &str) -> anyhow::Result<()> {
    let answer = client.own("POST", &format!("nodes/{}/{verb}", one.name), empty()).await?;
    let node: Value = serde_json::from_slice(&answer.into_body().collect().await?.to_bytes())?;
    show_one(&node, one.output);
    Ok(())
}

/// As anybody would, through the API.
async fn update(client: &Client, one: &One, status: &str) -> anyhow::Result<()> {
    let registrations = find(&all(client).await?, &one.name)?["containerInstances"].clone();
    for registration in registrations.as_array().into_iter().flatten() {
        let input = json!({ "cluster": registration["cluster"], "containerInstances": [registration["containerInstanceArn"]],
            "status": status });
        let answer = client.ecs("UpdateContainerInstancesState", &input).await?;
        if let Some(failure) = answer["failures"].get(0) {
            bail!("{}: {}", text(failure, "arn"), text(failure, "reason"));
        }
    }
    show_one(&find(&all(client).await?, &one.name)?, one.output);
    Ok(())
}

fn find(nodes: &Value, wanted: &str) -> anyhow::Result<Value> {
    let found = nodes.as_array().into_iter().flatten().find(|node| node["name"] == wanted);
    found.cloned().with_context(|| format!("no node {wanted}"))
}

fn show(nodes: &Value, output: Output) {
    match output {
        Output::Json => print_json(nodes),
        Output::Text => print_table(&rows(nodes)),
    }
}

fn show_one(node: &Value, output: Output) {
    match output {
        Output::Json => print_json(node),
        Output::Text => drop(say(format_args!("{} is {}", text(node, "name"), states(node)))),
    }
}

/// `UP, ACTIVE`.
fn states(node: &Value) -> String {
    [text(node, "state").to_owned(), status(node)].join(", ")
}

fn rows(nodes: &Value) -> Vec<Vec<String>> {
    let nodes = nodes.as_array().into_iter().flatten();
    std::iter::once(HEAD.map(str::to_owned).to_vec()).chain(nodes.map(row)).collect()
}

fn row(node: &Value) -> Vec<String> {
    let left = |member: &str| format!("{} of {}", node[member]["remaining"], node[member]["registered"]);
    let tasks = match node["pendingTasks"].as_u64() {
        Some(0) | None => node["runningTasks"].to_string(),
        Some(pending) => format!("{} (+{pending})", node["runningTasks"]),
    };
    let instances = registrations(node).map(|one| name(text(one, "containerInstanceArn")).to_owned());
    vec![
        text(node, "name").to_owned(),
        text(node, "state").to_owned(),
        text(node, "availabilityZone").to_owned(),
        some(node["autoScalingGroup"].as_str().map(str::to_owned).into_iter()),
        text(node, "address").to_owned(),
        left("cpuUnits"),
        left("memoryMib"),
        tasks,
        status(node),
        some(instances),
    ]
}

fn registrations(node: &Value) -> impl Iterator<Item = &Value> {
    node["containerInstances"].as_array().into_iter().flatten()
}

fn status(node: &Value) -> String {
    some(registrations(node).map(|one| text(one, "status").to_owned()))
}

fn some(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.collect();
    if words.is_empty() { "-".into() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::output::table;
    use expect_test::expect;

    #[test]
    fn a_node_is_a_line() {
        let node = |number: u64, state: &str, pending: u64, instances: Value| {
            json!({ "name": format!("node-{number}"), "state": state, "availabilityZone": "us-east-1a", "runningTasks": 2,
                "address": format!("10.213.{number}.1"), "pendingTasks": pending, "containerInstances": instances,
                "cpuUnits": { "registered": 1024, "remaining": 512 }, "memoryMib": { "registered": 2048, "remaining": 2048 } })
        };
        let instance = json!({ "containerInstanceArn": "arn:aws:ecs:us-east-1:123456789012:container-instance/default/0f3a",
            "status": "DRAINING" });
        let mut nodes = json!([node(1, "UP", 1, json!([instance])), node(2, "STOPPED", 0, json!([]))]);
        nodes[0]["autoScalingGroup"] = json!("web");
        expect![[r#"
            NODE    STATE    ZONE        GROUP  ADDRESS     CPU LEFT     MEMORY LEFT   TASKS   STATUS    INSTANCE
            node-1  UP       us-east-1a  web    10.213.1.1  512 of 1024  2048 of 2048  2 (+1)  DRAINING  0f3a
            node-2  STOPPED  us-east-1a  -      10.213.2.1  512 of 1024  2048 of 2048  2       -         -
        "#]]
        .assert_eq(&table(&rows(&nodes)));
    }
}
