//! `slipway explain NAME` or `--task-definition X`: which nodes could take such a task, and what keeps it from the others; or
//! what a service waits for.

use super::output::{Output, date, name, print_json, print_table, text};
use super::{say, service};
use crate::client::{Client, empty};
use http_body_util::BodyExt;
use serde_json::Value;

#[derive(clap::Args, Debug)]
pub struct What {
    /// A task's id, one end of it, or its ARN: explains one more task like it. Or a service's name or ARN
    #[arg(required_unless_present = "task_definition", conflicts_with = "task_definition")]
    name: Option<String>,
    /// A family, `family:revision` or an ARN
    #[arg(long)]
    task_definition: Option<String>,
    /// Of the definition's task, `default` if none is said; of the service, where several clusters have one of the name
    #[arg(long)]
    cluster: Option<String>,
    /// EC2, FARGATE or EXTERNAL; the cluster's default if none is said
    #[arg(long, conflicts_with = "name")]
    launch_type: Option<String>,
}

/// 1 if there is no node that fits, or the service is not steady.
pub async fn run(client: &Client, what: &What, output: Output) -> anyhow::Result<i32> {
    let answer = client.own("GET", &path(what), empty()).await?;
    let explained: Value = serde_json::from_slice(&answer.into_body().collect().await?.to_bytes())?;
    let is_service = service::is_service(&explained);
    match output {
        Output::Json => print_json(&explained),
        Output::Text if is_service => tell_service(&explained),
        Output::Text => tell(&explained),
    }
    let is_well = if is_service { explained["steady"] == true } else { fitting(&explained) > 0 };
    Ok(i32::from(!is_well))
}

fn tell(explained: &Value) {
    say(summary(explained));
    if !rows(explained).is_empty() {
        print_table(&rows(explained));
    }
}

fn tell_service(told: &Value) {
    service::explain(told);
    if !told["looksAgainAt"].is_null() {
        say(format_args!("Nothing changes by itself before {}.", date(&told["looksAgainAt"])));
    }
    if !told["placement"].is_null() {
        say("");
        tell(&told["placement"]);
    }
}

fn path(what: &What) -> String {
    let cluster = what.cluster.as_deref().map(name);
    match &what.name {
        Some(name) => format!("explain?name={name}&cluster={}", cluster.unwrap_or_default()),
        None => {
            let definition = what.task_definition.as_deref().unwrap_or_default();
            let launch_type = what.launch_type.as_deref().unwrap_or_default().to_ascii_uppercase();
            let cluster = cluster.unwrap_or("default");
            format!("explain?task-definition={definition}&cluster={cluster}&launch-type={launch_type}")
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

/// A node a line; none where there is no node.
pub fn rows(explained: &Value) -> Vec<Vec<String>> {
    if nodes(explained).is_empty() {
        return Vec::new();
    }
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
