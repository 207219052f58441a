//! `slipway logs TASK`: what the containers of a task wrote, prefixed by container, coloured on a terminal.

use super::lines::Lines;
use super::say;
use crate::client::{Client, empty};
use crate::logs::Line;
use std::collections::BTreeMap;
use std::io::IsTerminal;

/// One colour each, in order of appearance; red and white are left to the programs.
const COLOURS: [u8; 5] = [36, 33, 35, 32, 34];

pub async fn run(client: &Client, task: &str, follow: bool, containers: &[String]) -> anyhow::Result<()> {
    let mut printer = Printer::new();
    stream(client, task, follow, containers, |line| printer.print(&line)).await
}

/// Hands over line by line until one is not wanted any more.
pub async fn stream(
    client: &Client,
    task: &str,
    follow: bool,
    containers: &[String],
    mut each: impl FnMut(Line) -> bool,
) -> anyhow::Result<()> {
    let id = task.rsplit('/').next().unwrap_or(task);
    let query = format!("logs/{id}?follow={}&containers={}", u8::from(follow), containers.join(","));
    let mut lines = Lines::new(client.own("GET", &query, empty()).await?.into_body());
    while let Some(line) = lines.next().await?
        && each(line)
    {}
    Ok(())
}

pub struct Printer {
    colours: BTreeMap<String, u8>,
    terminal: bool,
}

impl Printer {
    pub fn new() -> Printer {
        Printer { colours: BTreeMap::new(), terminal: std::io::stdout().is_terminal() }
    }

    /// False once nobody reads.
    pub fn print(&mut self, line: &Line) -> bool {
        let prefix = self.prefix(&line.container);
        let text = line.log.strip_suffix('\n').unwrap_or(&line.log);
        say(format_args!("{prefix} {text}"))
    }

    pub fn prefix(&mut self, container: &str) -> String {
        if !self.terminal {
            return format!("{container} |");
        }
        let next = COLOURS[self.colours.len() % COLOURS.len()];
        let colour = *self.colours.entry(container.to_owned()).or_insert(next);
        format!("\x1b[{colour}m{container} |\x1b[0m")
    }
}
