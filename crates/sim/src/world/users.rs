//! Calls on their way to the plane, and answers on their way back, which may be lost.

use super::{Event, World, scene};
use crate::client::{self, Request, text};
use crate::oracle::Violation;
use crate::plane::Answer;
use crate::stage::brief;
use serde_json::Value;

impl World {
    pub(super) fn random_call(&mut self) -> Result<(), Violation> {
        let pause_ms = if self.stage.calm { 300 } else { self.stage.profile.call_pause_ms };
        let request = match self.plane.image() {
            _ if self.stage.calm => self.client.finishes(),
            Some(image) => self.client.asks(image, &mut self.stage.rng),
            None => None,
        };
        if !self.stage.calm || self.client.has_open_ends() || request.is_some() {
            self.stage.plan_within(pause_ms, Event::Call);
        }
        request.map_or(Ok(()), |request| self.send(request))
    }

    pub(super) fn send(&mut self, request: Request) -> Result<(), Violation> {
        let call = self.client.number();
        let Request { operation, input } = request.clone();
        self.stage.say("user", format_args!("{call}: {operation} {}", brief(&input.to_string())));
        self.client.sends(call, request);
        if !self.plane.is_up() {
            self.client.misses(call);
            return Ok(());
        }
        match self.plane.call(call, self.stage.now, operation, &input) {
            Some(Ok(first)) if operation == "ListTasks" => self.turn_pages(call, &input, first),
            Some(answer) => self.answered(call, answer),
            None => Ok(()),
        }
    }

    /// All pages at once: nothing changes in between.
    fn turn_pages(&mut self, call: u64, input: &Value, first: Value) -> Result<(), Violation> {
        let mut pages = vec![first.clone()];
        while let Some(token) = pages.last().map(|page| text(&page["nextToken"])).filter(|token| !token.is_empty()) {
            let mut next = input.clone();
            next["nextToken"] = token.into();
            match self.plane.call(call, self.stage.now, "ListTasks", &next) {
                Some(Ok(page)) => pages.push(page),
                other => return Err(Violation::new("pages follow each other", format!("{other:?}"))),
            }
        }
        let image = self.plane.image().ok_or_else(|| Violation::new("pages follow each other", "the plane is down"))?;
        client::list(&pages, input, image).map_err(|what| Violation::new("pages are the rows", what))?;
        self.answered(call, Ok(first))
    }

    pub(super) fn answered(&mut self, call: u64, answer: Answer) -> Result<(), Violation> {
        let Some(request) = self.client.waiting.get(&call).cloned() else { return Ok(()) };
        if let Err(error) = &answer {
            self.stage.say("user", format_args!("{call} is answered: {error}"));
            if error.status >= 500 {
                self.client.misses(call);
                return if error.message.starts_with("The change could not be stored: ") {
                    Ok(())
                } else {
                    Err(Violation::new("nothing fails but for a reason", format!("{} {error}", request.operation)))
                };
            }
        }
        if let (Ok(answer), "RunTask" | "StartTask") = (&answer, request.operation) {
            self.stage.say("user", format_args!("{call} is answered: {}", made(answer)));
        }
        let scene = scene(&self.plane, &self.nodes, &self.client, &self.stage);
        if let Some(image) = scene.image {
            client::check(&request, &answer, image).map_err(|what| Violation::new("answers are right", what))?;
        }
        let answers_lost = self.stage.profile.answers_lost;
        if self.stage.mishap(answers_lost) {
            self.stage.say("user", format_args!("the answer to {call} is lost"));
            self.client.misses(call);
            return Ok(());
        }
        self.client.hears(call, &answer).map_err(|what| Violation::new("a token makes its tasks once", what))?;
        self.oracles.answered(&request, answer.is_err(), &self.client)
    }
}

fn made(answer: &Value) -> String {
    let items = |member: &str| answer[member].as_array().cloned().unwrap_or_default().into_iter();
    let tasks: Vec<String> = items("tasks").map(|task| brief(client::id_of(&text(&task["taskArn"])))).collect();
    let failures: Vec<String> = items("failures").map(|failure| text(&failure["reason"])).collect();
    format!("tasks {}; failures {}", tasks.join(" "), failures.join(", "))
}
