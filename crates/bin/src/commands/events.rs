//! `slipway events`: what happens to tasks, container instances, services and deployments, as it happens. Followed, it goes
//! on after the server was away, where it was.

use super::lines::Lines;
use super::output::{Output, name, text};
use super::say;
use crate::client::{Client, empty};
use anyhow::Context;
use base::{Clock, SystemClock};
use clap::ValueEnum;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

const BETWEEN_TRIES: Duration = Duration::from_millis(250);

#[derive(clap::Args)]
pub struct Which {
    /// Goes on with what happens from now on
    #[arg(long, short)]
    follow: bool,
    /// Only what is not older: `10m`, `2h`, or a time such as 2026-11-20T12:00:00Z
    #[arg(long)]
    since: Option<String>,
    #[arg(long)]
    cluster: Option<String>,
    /// Only of these types
    #[arg(long = "type", value_enum, value_delimiter = ',')]
    types: Vec<Type>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Type {
    Task,
    ContainerInstance,
    Service,
    Deployment,
}

/// What the server sends.
#[derive(Deserialize)]
struct Line {
    sequence: u64,
    event: Option<Value>,
    missed: Option<u64>,
}

pub async fn run(client: &Client, which: &Which, output: Output) -> anyhow::Result<()> {
    let query = which.query(&SystemClock)?;
    let mut reader = Reader { output, seen: None, told: Told::default() };
    let mut lines = reader.open(client, &query).await?;
    while reader.read(&mut lines).await == Ended::ByServer && which.follow {
        lines = reader.again(client, &query).await;
    }
    Ok(())
}

impl Which {
    fn query(&self, clock: &dyn Clock) -> anyhow::Result<String> {
        let mut query = format!("events?follow={}", u8::from(self.follow));
        if let Some(since) = &self.since {
            query += &format!("&since={}", milliseconds(since, clock)?);
        }
        if let Some(cluster) = &self.cluster {
            query += &format!("&cluster={}", name(cluster));
        }
        let types: Vec<_> = self.types.iter().filter_map(|kind| Some(kind.to_possible_value()?.get_name().to_owned())).collect();
        Ok(query + &format!("&type={}", types.join(",")))
    }
}

fn milliseconds(since: &str, clock: &dyn Clock) -> anyhow::Result<u64> {
    if let Ok(time) = since.parse::<jiff::Timestamp>() {
        return Ok(time.as_millisecond().try_into().unwrap_or(0));
    }
    let span: jiff::SignedDuration = since.parse().with_context(|| format!("{since} is neither a time nor a duration"))?;
    Ok((clock.now() - span.unsigned_abs()).millis())
}

#[derive(Debug, PartialEq)]
enum Ended {
    /// It has no more, or went away.
    ByServer,
    /// Nobody reads what is printed.
    ByReader,
}

struct Reader {
    output: Output,
    /// The number of the last event that was printed.
    seen: Option<u64>,
    told: Told,
}

impl Reader {
    async fn open(&self, client: &Client, query: &str) -> anyhow::Result<Lines> {
        let after = self.seen.map(|seen| format!("&after={seen}")).unwrap_or_default();
        Ok(Lines::new(client.own("GET", &format!("{query}{after}"), empty()).await?.into_body()))
    }

    /// Once the server is back, however long that takes. Nothing tells of that but trying.
    async fn again(&self, client: &Client, query: &str) -> Lines {
        let mut is_said = false;
        loop {
            match self.open(client, query).await {
                Ok(lines) => return lines,
                Err(error) if !is_said => eprintln!("slipway: {error:#}; waiting for it"),
                Err(_) => {}
            }
            is_said = true;
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }

    async fn read(&mut self, lines: &mut Lines) -> Ended {
        // A stream that breaks off has ended too; half a line of it is sent again.
        while let Ok(Some(line)) = lines.next::<Line>().await {
            self.seen = Some(line.sequence);
            if !self.print(line) {
                return Ended::ByReader;
            }
        }
        Ended::ByServer
    }

    fn print(&mut self, line: Line) -> bool {
        if let Some(missed) = line.missed {
            eprintln!("slipway: {missed} events are not kept any more");
        }
        match (line.event, self.output) {
            (None, _) => true,
            (Some(event), Output::Json) => say(event),
            (Some(event), Output::Text) => say(self.told.line(&event)),
        }
    }
}

/// What was last told of each resource, so that what has changed can be said.
#[derive(Default)]
struct Told(BTreeMap<String, Value>);

impl Told {
    fn line(&mut self, event: &Value) -> String {
        let (detail, arn) = (&event["detail"], event["resources"][0].as_str().unwrap_or_default());
        let unknown = Value::Null;
        let before = self.0.get(arn).unwrap_or(&unknown);
        let (kind, change) = match text(event, "detail-type") {
            "ECS Task State Change" => ("task", task(before, detail)),
            "ECS Container Instance State Change" => ("instance", instance(before, detail)),
            "ECS Deployment State Change" => ("deployment", deployment(detail)),
            _ => ("service", service(detail)),
        };
        let at = ["updatedAt", "createdAt"].into_iter().find_map(|member| detail[member].as_str()).unwrap_or_default();
        let resource = arn.split_once('/').map_or(arn, |(_, name)| name);
        let line = format!("{at}  {kind:<10}  {resource}  {change}");
        match is_over(detail) {
            true => self.0.remove(arn),
            false => self.0.insert(arn.to_owned(), detail.clone()),
        };
        line
    }
}

fn is_over(detail: &Value) -> bool {
    text(detail, "lastStatus") == "STOPPED" || text(detail, "status") == "INACTIVE"
}

/// What differs, or the state if nothing that is shown does.
fn joined(changes: Vec<String>, otherwise: &str) -> String {
    if changes.is_empty() { otherwise.to_owned() } else { changes.join(", ") }
}

fn task(before: &Value, detail: &Value) -> String {
    let mut changes = Vec::new();
    let differs = |member: &str| before[member] != detail[member];
    if differs("lastStatus") {
        changes.push(text(detail, "lastStatus").to_owned());
    }
    if differs("desiredStatus") && text(detail, "desiredStatus") == "STOPPED" {
        changes.push("STOPPED is desired".to_owned());
    }
    let containers = detail["containers"].as_array().into_iter().flatten();
    changes.extend(containers.enumerate().filter_map(|(at, is)| container(&before["containers"][at], is)));
    let reason = text(detail, "stoppedReason");
    let cause = if differs("stoppedReason") && !reason.is_empty() { format!(": {reason}") } else { String::new() };
    joined(changes, text(detail, "lastStatus")) + &cause
}

fn container(before: &Value, is: &Value) -> Option<String> {
    let status = text(is, "lastStatus");
    let is_news = before["lastStatus"] != is["lastStatus"] && status != "PENDING";
    let exit = is["exitCode"].as_i64().map(|code| format!(" with exit code {code}")).unwrap_or_default();
    is_news.then(|| format!("{} {status}{exit}", text(is, "name")))
}

fn instance(before: &Value, detail: &Value) -> String {
    let mut changes = Vec::new();
    if before["status"] != detail["status"] {
        changes.push(text(detail, "status").to_owned());
    }
    if before["agentConnected"] != detail["agentConnected"] {
        changes.push(if detail["agentConnected"] == true { "connected" } else { "disconnected" }.to_owned());
    }
    if before["remainingResources"] != detail["remainingResources"] {
        let left = |at: usize| &detail["remainingResources"][at]["integerValue"];
        changes.push(format!("{} CPU units and {} MiB left", left(0), left(1)));
    }
    joined(changes, text(detail, "status"))
}

fn service(detail: &Value) -> String {
    let reason = detail["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{}{reason}", text(detail, "eventName"))
}

fn deployment(detail: &Value) -> String {
    format!("{} {}: {}", text(detail, "deploymentId"), text(detail, "eventName"), text(detail, "reason"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    struct At(u64);

    impl Clock for At {
        fn now(&self) -> base::Time {
            base::Time(self.0)
        }
    }

    #[test]
    fn since_is_a_time_or_how_long_ago() {
        let since = |text: &str| milliseconds(text, &At(7_200_000)).ok();
        assert_eq!(["10m", "1h 30m", "2h"].map(since), [Some(6_600_000), Some(1_800_000), Some(0)]);
        assert_eq!(["1970-01-01T01:00:00Z", "yesterday"].map(since), [Some(3_600_000), None]);
    }

    fn event(kind: &str, resource: &str, detail: Value) -> Value {
        json!({ "detail-type": format!("ECS {kind}"), "resources": [format!("arn:aws:ecs:us-east-1:123456789012:{resource}")],
            "detail": detail })
    }

    #[test]
    fn a_line_says_what_has_changed() {
        let task = |last: &str, desired: &str, container: Value, reason: Value| {
            let detail = json!({ "lastStatus": last, "desiredStatus": desired, "containers": [container],
                "stoppedReason": reason, "updatedAt": "2026-11-20T12:00:00.000Z", "createdAt": "2026-11-20T11:00:00.000Z" });
            event("Task State Change", "task/default/0f3a", detail)
        };
        let container = |status: &str, code: Value| json!({ "name": "app", "lastStatus": status, "exitCode": code });
        let instance = |connected: bool, cpu: u32| {
            let left = json!([{ "integerValue": cpu }, { "integerValue": 4096 }]);
            let detail = json!({ "status": "ACTIVE", "agentConnected": connected, "remainingResources": left });
            event("Container Instance State Change", "container-instance/default/77aa", detail)
        };
        let enough = json!("enough");
        let events = [
            task("PENDING", "RUNNING", container("PENDING", Value::Null), Value::Null),
            task("RUNNING", "RUNNING", container("RUNNING", Value::Null), Value::Null),
            task("RUNNING", "RUNNING", container("RUNNING", Value::Null), Value::Null),
            task("RUNNING", "STOPPED", container("RUNNING", Value::Null), enough.clone()),
            task("STOPPED", "STOPPED", container("STOPPED", json!(0)), enough),
            instance(true, 2048),
            instance(true, 1024),
            instance(false, 1024),
            event(
                "Service Action",
                "service/default/web",
                json!({ "eventName": "SERVICE_TASK_PLACEMENT_FAILURE", "reason": "RESOURCE:CPU" }),
            ),
            event(
                "Deployment State Change",
                "service/default/web",
                json!({ "deploymentId": "ecs-svc/1",
                "eventName": "SERVICE_DEPLOYMENT_COMPLETED", "reason": "ECS deployment ecs-svc/1 completed." }),
            ),
        ];
        let mut told = Told::default();
        let lines: String = events.iter().map(|event| told.line(event) + "\n").collect();
        expect![[r#"
            2026-11-20T12:00:00.000Z  task        default/0f3a  PENDING
            2026-11-20T12:00:00.000Z  task        default/0f3a  RUNNING, app RUNNING
            2026-11-20T12:00:00.000Z  task        default/0f3a  RUNNING
            2026-11-20T12:00:00.000Z  task        default/0f3a  STOPPED is desired: enough
            2026-11-20T12:00:00.000Z  task        default/0f3a  STOPPED, app STOPPED with exit code 0
              instance    default/77aa  ACTIVE, connected, 2048 CPU units and 4096 MiB left
              instance    default/77aa  1024 CPU units and 4096 MiB left
              instance    default/77aa  disconnected
              service     default/web  SERVICE_TASK_PLACEMENT_FAILURE: RESOURCE:CPU
              deployment  default/web  ecs-svc/1 SERVICE_DEPLOYMENT_COMPLETED: ECS deployment ecs-svc/1 completed.
        "#]]
        .assert_eq(&lines);
        assert!(!told.0.keys().any(|arn| arn.contains("/task/")), "what is over is forgotten");
    }
}
