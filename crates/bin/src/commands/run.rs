//! `slipway run FILE`: registers a task definition, runs it as one task, shows its life and its logs, stops it on Ctrl-C,
//! and ends with the essential container's exit code. Speaks to the server of this address, or starts one for itself.

use super::interrupts::Interrupts;
use super::lines::Lines;
use super::logs::{self, Printer};
use super::say;
use crate::client::{Client, empty};
use crate::compose::{Running, Server};
use crate::config::Config;
use crate::images::Pulling;
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::path::Path;
use tokio::sync::mpsc;

pub async fn run(config: Config, file: &Path, cluster: &str) -> anyhow::Result<i32> {
    let definition = read(file)?;
    let mut interrupts = Interrupts::listen()?;
    let (client, own) = connect(config).await?;
    let result = task(&client, &definition, cluster, &mut interrupts).await;
    if let Some(own) = own {
        own.stop().await;
    }
    result
}

fn read(file: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))
}

async fn connect(config: Config) -> anyhow::Result<(Client, Option<Running>)> {
    let client = Client::new(format!("http://{}", config.listen), &config.region);
    if client.is_serving().await {
        return Ok((client, None));
    }
    let region = config.region.clone();
    let running = Server::start(config).await?;
    Ok((Client::new(format!("http://{}", running.server.address), region), Some(running)))
}

async fn task(client: &Client, definition: &Value, cluster: &str, interrupts: &mut Interrupts) -> anyhow::Result<i32> {
    let registered = client.ecs("RegisterTaskDefinition", definition).await?;
    let definition = &registered["taskDefinition"];
    let arn = definition["taskDefinitionArn"].as_str().context("no ARN in the answer")?;
    client.ecs("CreateCluster", &json!({ "clusterName": cluster })).await?;
    let ran = client.ecs("RunTask", &run_task(definition, arn, cluster)).await?;
    if let Some(failure) = ran["failures"].get(0) {
        bail!("the task was not placed: {}", failure["reason"].as_str().unwrap_or("no reason given"));
    }
    let task = ran["tasks"][0]["taskArn"].as_str().context("no task in the answer")?.to_owned();
    say(format_args!("{} as {}", name(arn), name(&task)));
    let ended = follow(client, &task, cluster, interrupts).await?;
    Ok(exit_code(definition, &ended))
}

fn run_task(definition: &Value, arn: &str, cluster: &str) -> Value {
    let mut input = json!({ "cluster": cluster, "taskDefinition": arn, "startedBy": "slipway-run" });
    if definition["networkMode"] == "awsvpc" {
        // Any subnet: this host has one network.
        input["networkConfiguration"] = json!({ "awsvpcConfiguration": { "subnets": ["subnet-slipway"] } });
    }
    let requires =
        |wanted: &str| definition["requiresCompatibilities"].as_array().is_some_and(|all| all.contains(&json!(wanted)));
    if requires("FARGATE") {
        input["launchType"] = json!("FARGATE");
    }
    input
}

/// Prints until the task is STOPPED and its logs are at their end; returns it as last described.
async fn follow(client: &Client, task: &str, cluster: &str, interrupts: &mut Interrupts) -> anyhow::Result<Value> {
    let id = task.rsplit('/').next().unwrap_or(task);
    let mut pulls = Lines::new(client.own("GET", "pulls", empty()).await?.into_body());
    let mut states = Lines::new(client.own("GET", &format!("watch/{id}"), empty()).await?.into_body());
    let (sender, mut lines) = mpsc::unbounded_channel();
    let (logs_client, logs_task) = (client.clone(), task.to_owned());
    let reading =
        tokio::spawn(async move { logs::stream(&logs_client, &logs_task, true, &[], |line| sender.send(line).is_ok()).await });
    let (mut shown, mut printer, mut interrupted) = (Shown::default(), Printer::new(), 0);
    let mut last = Value::Null;
    loop {
        tokio::select! {
            state = states.next::<Value>() => match state? {
                Some(state) => { shown.print(&state, &mut printer); last = state; }
                None => break,
            },
            Some(line) = lines.recv() => drop(printer.print(&line)),
            Ok(Some(pulling)) = pulls.next::<Pulling>() => shown.pull(&pulling),
            () = interrupts.next() => { interrupted += 1; interrupt(client, task, cluster, interrupted).await?; }
        }
    }
    reading.await??;
    while let Ok(line) = lines.try_recv() {
        printer.print(&line);
    }
    shown.finish(&last);
    Ok(last)
}

async fn interrupt(client: &Client, task: &str, cluster: &str, times: u32) -> anyhow::Result<()> {
    if times == 1 {
        say("stopping; press Ctrl-C again to kill");
        client.ecs("StopTask", &json!({ "cluster": cluster, "task": task, "reason": "Interrupted by user" })).await?;
    } else {
        say("killing");
        client.own("POST", &format!("kill/{}", name(task)), empty()).await?;
    }
    Ok(())
}

/// What has been said of the task, so that each change is said once.
#[derive(Default)]
struct Shown {
    status: String,
    containers: Vec<String>,
    addresses: Vec<String>,
    images: Vec<String>,
}

impl Shown {
    fn print(&mut self, task: &Value, printer: &mut Printer) {
        let status = task["lastStatus"].as_str().unwrap_or_default();
        if status != self.status && status != "STOPPED" {
            say(status);
            self.status = status.to_owned();
        }
        for container in task["containers"].as_array().into_iter().flatten() {
            self.images.extend(container["image"].as_str().map(str::to_owned));
            self.container(container, printer);
        }
    }

    /// Other tasks pull too; theirs are not this one's to tell.
    fn pull(&self, pulling: &Pulling) {
        if self.images.contains(&pulling.image) {
            say(format!("{}: {}", pulling.image, pulling.text));
        }
    }

    fn container(&mut self, container: &Value, printer: &mut Printer) {
        let name = container["name"].as_str().unwrap_or_default();
        let state = described(container);
        let prefix = printer.prefix(name);
        if container["lastStatus"] != "PENDING" && once(&mut self.containers, format!("{name} {state}")) {
            say(format_args!("{prefix} {state}"));
        }
        for binding in container["networkBindings"].as_array().into_iter().flatten() {
            let address = format!("port {} is 127.0.0.1:{}", binding["containerPort"], binding["hostPort"]);
            if once(&mut self.addresses, format!("{name} {address}")) {
                say(format_args!("{prefix} {address}"));
            }
        }
    }

    fn finish(&self, task: &Value) {
        say(format_args!("STOPPED: {}", task["stoppedReason"].as_str().unwrap_or("no reason given")));
    }
}

fn described(container: &Value) -> String {
    let state = container["lastStatus"].as_str().unwrap_or_default();
    let exit = container["exitCode"].as_i64().map(|code| format!(" with exit code {code}")).unwrap_or_default();
    let reason = container["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{state}{exit}{reason}")
}

fn once(said: &mut Vec<String>, what: String) -> bool {
    let new = !said.contains(&what);
    if new {
        said.push(what);
    }
    new
}

/// The first essential container that ended, by the order of the definition; 1 if none has a code.
fn exit_code(definition: &Value, task: &Value) -> i32 {
    let essential = |name: &Value| {
        let definitions = definition["containerDefinitions"].as_array();
        definitions.into_iter().flatten().any(|c| c["name"] == *name && c["essential"] != json!(false))
    };
    let containers = task["containers"].as_array().into_iter().flatten();
    let code = containers.filter(|c| essential(&c["name"])).find_map(|c| c["exitCode"].as_i64());
    code.map_or(1, |code| code as i32)
}

fn name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
