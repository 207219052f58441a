//! `slipway explain TASK` or `--task-definition X`: which nodes could take such a task, and what keeps it from the others.

use super::output::{Output, name, print_json, print_table, text};
use super::say;
use crate::client::{Client, empty};
use http_body_util::BodyExt;
use serde_json::Value;

#[derive(clap::Args, Debug)]
pub struct What {
    /// The task's id, one end of it, or its ARN: explains one more task like it
    #[arg(required_unless_present = "task_definition", conflicts_with = "task_definition")]
    task: Option<String>,
    /// A family, `family:revision` or an ARN
    #[arg(long)]
    task_definition: Option<String>,
    #[arg(long, default_value = "default", conflicts_with = "task")]
    cluster: String,
    /// EC2, FARGATE or EXTERNAL; the cluster's default if none is said
    #[arg(long, conflicts_with = "task")]
    launch_type: Option<String>,
}

/// 1 if there is no node that fits.
pub async fn run(client: &Client, what: &What, output: Output) -> anyhow::Result<i32> {
    let answer = client.own("GET", &path(what), empty()).await?;
    let explained: Value = serde_json::from_slice(&answer.into_body().collect().await?.to_bytes())?;
    match output {
        Output::Json => print_json(&explained),
        Output::Text => {
            say(summary(&explained));
            if !nodes(&explained).is_empty() {
                print_table(&rows(&explained));
            }
        }
    }
    Ok(if fitting(&explained) > 0 { 0 } else { 1 })
}

fn path(what: &What) -> String {
    match &what.task {
        Some(task) => format!("explain/{}", name(task)),
        None => {
            let definition = what.task_definition.as_deref().unwrap_or_default();
            let launch_type = what.launch_type.as_deref().unwrap_or_default().to_ascii_uppercase();
            format!("explain?task-definition={definition}&cluster={}&launch-type={launch_type}", what.cluster)
        }
    }
}

fn nodes(explained: &Value) -> &[Value] {
    explained["nodes"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn fitting(explained: &Value) -> usize {
    nodes(explained).iter().filter(|node| node["fits"] == true).count()
}

fn summary(explained: &Value) -> String {
    let wish = format!(
        "{} as {} in {}: {} CPU units, {} MiB",
        name(text(explained, "taskDefinitionArn")),
        text(explained, "launchType"),
        name(text(explained, "clusterArn")),
        explained["cpuUnits"],
        explained["memoryMib"],
    );
    let placed =
        explained["placedOn"].as_str().map(|node| format!("\nThe task is placed on {node}; this is of one more like it."));
    let fits = match (nodes(explained).len(), fitting(explained)) {
        (0, _) => "there is no node".to_owned(),
        (all, fits) => format!("{fits} of {all} nodes can take it"),
    };
    format!("{wish}; {fits}{}", placed.unwrap_or_default())
}

fn rows(explained: &Value) -> Vec<Vec<String>> {
    let row = |node: &Value| {
        let fits = if node["fits"] == true { "yes" } else { "no" };
        let reason = node["reason"].as_str().unwrap_or("-");
        vec![text(node, "node").to_owned(), fits.to_owned(), reason.to_owned(), text(node, "detail").to_owned()]
    };
    let head = ["NODE", "FITS", "REASON", "DETAIL"].map(str::to_owned).to_vec();
    std::iter::once(head).chain(nodes(explained).iter().map(row)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::output::table;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn each_node_is_a_line_with_its_reason() {
        let explained = json!({ "taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/web:3", "launchType": "EC2",
            "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/demo", "cpuUnits": 256, "memoryMib": 512, "placedOn": "n1",
            "nodes": [{ "node": "n1", "fits": true },
                { "node": "n2", "fits": false, "reason": "RESOURCE:MEMORY", "detail": "512 MiB are wanted, 100 of 256 are left" }] });
        expect![[r#"
            web:3 as EC2 in demo: 256 CPU units, 512 MiB; 1 of 2 nodes can take it
            The task is placed on n1; this is of one more like it.
            NODE  FITS  REASON           DETAIL
            n1    yes   -
            n2    no    RESOURCE:MEMORY  512 MiB are wanted, 100 of 256 are left
        "#]]
        .assert_eq(&format!("{}\n{}", summary(&explained), table(&rows(&explained))));
    }
}
