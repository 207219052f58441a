//! A pretended user: calls the API at random, repeats calls whose answer was lost, and remembers what was acknowledged.

use base::Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Default)]
pub struct Client {
    /// ARNs of tasks whose RunTask was answered.
    pub acknowledged: Vec<String>,
    /// What was asked with a token and not answered: asked again, the same way, it must not make a second task.
    unanswered: Vec<Value>,
    /// Token -> the tasks it was answered with.
    pub by_token: BTreeMap<String, Vec<String>>,
    tokens: u64,
}

pub const FAMILIES: [&str; 6] = ["server", "job", "chain", "pair", "port", "big"];

/// What the user registers before anything else. Names that begin with `job` end by themselves (see `node`).
pub fn definitions() -> Vec<Value> {
    let container = |name: &str, memory: u32| json!({ "name": name, "image": "app", "memory": memory, "cpu": 64 });
    let with = |mut container: Value, members: Value| {
        let members = members.as_object().cloned().unwrap_or_default();
        container.as_object_mut().into_iter().for_each(|c| c.extend(members.clone()));
        container
    };
    let after = |name: &str, condition: &str| json!([{ "containerName": name, "condition": condition }]);
    let check = json!({ "command": ["CMD", "true"], "interval": 5, "retries": 1 });
    vec![
        json!({ "family": "server", "containerDefinitions": [container("server", 128)] }),
        json!({ "family": "job", "containerDefinitions": [container("job", 64)] }),
        json!({ "family": "chain", "containerDefinitions": [
            with(container("job-first", 32), json!({ "essential": false })),
            with(container("second", 32), json!({ "dependsOn": after("job-first", "SUCCESS") })),
        ] }),
        json!({ "family": "pair", "containerDefinitions": [
            with(container("checked", 32), json!({ "healthCheck": check })),
            with(container("job-then", 32), json!({ "essential": false, "dependsOn": after("checked", "HEALTHY") })),
        ] }),
        json!({ "family": "port", "containerDefinitions": [
            with(container("web", 32), json!({ "portMappings": [{ "containerPort": 80, "hostPort": 8080 }] })),
        ] }),
        json!({ "family": "big", "containerDefinitions": [container("server", 900)] }),
    ]
}

impl Client {
    /// The next call: operation and input.
    pub fn next(&mut self, rng: &mut Rng) -> (&'static str, Value) {
        match rng.below(10) {
            0..=4 => ("RunTask", self.run_task(rng)),
            5..=7 => match rng.pick(&self.acknowledged) {
                Some(task) => ("StopTask", json!({ "task": task, "reason": "the user said so" })),
                None => ("ListTasks", json!({})),
            },
            8 => ("DescribeTasks", json!({ "tasks": self.acknowledged.iter().rev().take(100).collect::<Vec<_>>() })),
            _ => ("ListTasks", json!({ "desiredStatus": "STOPPED" })),
        }
    }

    fn run_task(&mut self, rng: &mut Rng) -> Value {
        if let Some(again) = self.unanswered.pop() {
            return again;
        }
        self.tokens += 1;
        let family = FAMILIES[rng.below(FAMILIES.len() as u64) as usize];
        json!({ "taskDefinition": family, "count": 1 + rng.below(3), "clientToken": format!("token-{}", self.tokens) })
    }

    /// `None`: the answer never came.
    pub fn answered(&mut self, operation: &str, input: &Value, answer: Option<&Value>) -> Result<(), String> {
        if operation != "RunTask" {
            return Ok(());
        }
        let Some(answer) = answer else {
            self.unanswered.push(input.clone());
            return Ok(());
        };
        let tasks: Vec<String> = answer["tasks"].as_array().into_iter().flatten().filter_map(arn).collect();
        let token = input["clientToken"].as_str().unwrap_or_default().to_owned();
        if let Some(before) = self.by_token.insert(token.clone(), tasks.clone())
            && before != tasks
        {
            return Err(format!("{token} was answered with {before:?}, then with {tasks:?}"));
        }
        self.acknowledged.extend(tasks);
        Ok(())
    }
}

fn arn(task: &Value) -> Option<String> {
    task["taskArn"].as_str().map(str::to_owned)
}
