//! Pretended users: they call the API at random, repeat what was not answered, and remember what they were told.

mod ask;
pub mod capacity;
mod check;
mod services;

pub use ask::{activate, stop};
pub use check::{check, list};
pub use services::deletion;

use crate::plane::Answer;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Client {
    /// By `clientToken`, which is the `startedBy` of what it makes.
    pub runs: BTreeMap<String, Run>,
    /// ARNs of tasks that some answer named.
    pub known: Vec<String>,
    /// By task id.
    pub stops: BTreeMap<String, Stop>,
    /// Container instances by ARN: what was said of them last, if nothing about them is under way.
    pub drains: BTreeMap<String, Option<bool>>,
    /// Asked again, the same way.
    again: Vec<Request>,
    pub waiting: BTreeMap<u64, Request>,
    /// Of a hundred calls, so many are about services.
    services: u64,
    numbers: u64,
}

#[derive(Clone, Debug)]
pub struct Request {
    pub operation: &'static str,
    pub input: Value,
}

pub struct Run {
    input: Value,
    attempts: u32,
    /// Refused when it was repeated, or not asked again for hours: what the first attempt made, nobody will say.
    pub is_abandoned: bool,
    /// The ids of its tasks.
    pub answered: Option<BTreeSet<String>>,
}

impl Run {
    fn made_something(&self) -> bool {
        !self.is_abandoned && self.answered.as_ref().is_some_and(|tasks| !tasks.is_empty())
    }
}

#[derive(Default)]
pub struct Stop {
    pub reasons: BTreeSet<String>,
    pub is_acknowledged: bool,
}

pub const UPDATE_INSTANCES: &str = "UpdateContainerInstancesState";

impl Client {
    pub fn of(services: u64) -> Client {
        Client { services, ..Client::default() }
    }

    pub fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub fn sends(&mut self, call: u64, request: Request) {
        let input = &request.input;
        match request.operation {
            "RunTask" => {
                let run = Run { input: input.clone(), attempts: 0, is_abandoned: false, answered: None };
                self.runs.entry(text(&input["clientToken"])).or_insert(run).attempts += 1;
            }
            "StopTask" => {
                let stop = self.stops.entry(id_of(&text(&input["task"])).to_owned()).or_default();
                stop.reasons.insert(text(&input["reason"]));
            }
            UPDATE_INSTANCES => self.drains.extend(instances(input).map(|arn| (arn, None))),
            _ => {}
        }
        self.waiting.insert(call, request);
    }

    /// The answer never came, or was that it did not work.
    pub fn misses(&mut self, call: u64) {
        let Some(request) = self.waiting.remove(&call) else { return };
        let is_repeated = request.operation == "RunTask" && self.is_open(&request) || request.operation == "StopTask";
        if is_repeated {
            self.again.push(request);
        }
    }

    /// Not one that was sent to be refused.
    fn is_open(&self, request: &Request) -> bool {
        self.runs
            .get(&text(&request.input["clientToken"]))
            .is_some_and(|run| run.input == request.input && run.answered.is_none() && !run.is_abandoned)
    }

    /// Something of this request is wrong: not said to whoever would repeat it.
    pub fn hears(&mut self, call: u64, answer: &Answer) -> Result<(), String> {
        let Some(Request { operation, input }) = self.waiting.remove(&call) else { return Ok(()) };
        match (operation, answer) {
            ("RunTask", answer) => self.ran(&input, answer),
            ("StartTask", Ok(answer)) => {
                self.known.extend(arns(answer));
                Ok(())
            }
            ("StopTask", Ok(_)) => {
                self.stops.entry(id_of(&text(&input["task"])).to_owned()).or_default().is_acknowledged = true;
                Ok(())
            }
            (UPDATE_INSTANCES, Ok(_)) => {
                self.updated(&input);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn ran(&mut self, input: &Value, answer: &Answer) -> Result<(), String> {
        let token = text(&input["clientToken"]);
        let Some(run) = self.runs.get_mut(&token) else { return Ok(()) };
        let is_other = run.input != *input;
        match answer {
            Ok(_) if is_other => Err(format!("{token} was taken for another request, too")),
            Err(error) if is_other && error.code == "ConflictException" => Ok(()),
            Err(_) if run.attempts > 1 => {
                run.is_abandoned = true;
                Ok(())
            }
            Err(_) => {
                run.answered.get_or_insert_default();
                Ok(())
            }
            Ok(answer) => {
                let tasks: Vec<String> = arns(answer).collect();
                let ids: BTreeSet<String> = tasks.iter().map(|arn| id_of(arn).to_owned()).collect();
                let before = run.answered.replace(ids.clone());
                if before.as_ref().is_some_and(|before| *before != ids) {
                    return Err(format!("{token} was answered with {before:?}, then with {ids:?}"));
                }
                self.known.extend(tasks);
                Ok(())
            }
        }
    }

    /// What is known of an instance is known only if nothing else about it is under way.
    fn updated(&mut self, input: &Value) {
        let is_draining = input["status"] == "DRAINING";
        for arn in instances(input) {
            let mut others = self.waiting.values().filter(|other| other.operation == UPDATE_INSTANCES);
            let is_sure = !others.any(|other| instances(&other.input).any(|another| another == arn));
            self.drains.insert(arn, is_sure.then_some(is_draining));
        }
    }

    /// So much time has passed that a token may stand for nothing any more.
    pub fn gives_up(&mut self) {
        self.again.clear();
        self.waiting.clear();
        self.runs.values_mut().for_each(|run| run.is_abandoned = true);
    }

    pub fn has_open_ends(&self) -> bool {
        !self.again.is_empty() || !self.waiting.is_empty()
    }
}

fn instances(input: &Value) -> impl Iterator<Item = String> {
    input["containerInstances"].as_array().into_iter().flatten().map(text)
}

fn arns(answer: &Value) -> impl Iterator<Item = String> {
    answer["tasks"].as_array().into_iter().flatten().map(|task| text(&task["taskArn"]))
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The last part of an ARN.
pub fn id_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or_default()
}

/// The cluster in a task's ARN.
pub fn cluster_of(arn: &str) -> &str {
    arn.split('/').nth(1).unwrap_or_default()
}
