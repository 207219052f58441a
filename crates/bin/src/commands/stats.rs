//! `slipway stats`: a live table of what containers use. The server sends counters once a second; rates are made here.

use super::lines::Lines;
use super::output::{Output, name, table, text};
use super::say;
use crate::client::{Client, empty};
use serde_json::{Value, json};
use std::io::IsTerminal;

const HEAD: [&str; 8] = ["TASK", "CONTAINER", "CPU %", "MEMORY", "LIMIT", "PROCESSES", "READ", "WRITTEN"];
/// Cursor to the top left, and nothing below.
const CLEAR: &str = "\x1b[H\x1b[J";

pub async fn run(client: &Client, task: Option<&str>, once: bool, output: Output) -> anyhow::Result<()> {
    let path = task.map_or_else(|| "stats".to_owned(), |task| format!("stats/{}", name(task)));
    let mut readings = Lines::new(client.own("GET", &path, empty()).await?.into_body());
    let redraws = !once && output == Output::Text && std::io::stdout().is_terminal();
    let mut before = Value::Null;
    while let Some(mut reading) = readings.next::<Value>().await? {
        rate(&before, &mut reading);
        // A rate needs two moments.
        if !before.is_null() {
            let shown = match output {
                Output::Json => reading.to_string(),
                Output::Text => table(&rows(&reading)).trim_end_matches('\n').to_owned(),
            };
            if !say(format_args!("{}{shown}", if redraws { CLEAR } else { "" })) || once {
                return Ok(());
            }
        }
        before = reading;
    }
    Ok(())
}

/// Adds `cpuPercent`, of one processor, to each container that was there before as well.
fn rate(before: &Value, reading: &mut Value) {
    let seconds = reading["at"].as_f64().unwrap_or_default() - before["at"].as_f64().unwrap_or_default();
    let earlier = before["containers"].as_array().cloned().unwrap_or_default();
    for container in reading["containers"].as_array_mut().into_iter().flatten() {
        let was = earlier.iter().find(|was| was["runtimeId"] == container["runtimeId"]);
        let used = was.and_then(|was| container["cpuNs"].as_u64()?.checked_sub(was["cpuNs"].as_u64()?));
        let percent = used.filter(|_| seconds > 0.0).map(|ns| (ns as f64 / seconds / 1e7 * 100.0).round() / 100.0);
        container["cpuPercent"] = json!(percent);
    }
}

fn rows(reading: &Value) -> Vec<Vec<String>> {
    let containers = reading["containers"].as_array().into_iter().flatten();
    std::iter::once(HEAD.map(str::to_owned).to_vec()).chain(containers.map(row)).collect()
}

fn row(container: &Value) -> Vec<String> {
    let size = |member: &str| container[member].as_u64().map_or_else(|| "-".into(), size);
    vec![
        name(text(container, "taskArn")).to_owned(),
        text(container, "container").to_owned(),
        container["cpuPercent"].as_f64().map_or_else(|| "-".into(), |percent| format!("{percent:.2}")),
        size("memoryBytes"),
        size("memoryLimitBytes"),
        container["processes"].to_string(),
        size("readBytes"),
        size("writtenBytes"),
    ]
}

/// `12.5 MiB`.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    let power = (0..UNITS.len()).rev().find(|power| bytes >= 1 << (10 * power)).unwrap_or_default();
    match power {
        0 => format!("{bytes} B"),
        power => format!("{:.1} {}", bytes as f64 / (1u64 << (10 * power)) as f64, UNITS[power]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn rates_are_between_two_readings_of_the_same_run() {
        let reading = |at: f64, runs: &[(&str, u64)]| {
            let container = |(id, cpu_ns): &(&str, u64)| {
                json!({ "taskArn": "arn:aws:ecs:us-east-1:123456789012:task/demo/aaaa", "container": "app", "runtimeId": id, "cpuNs": cpu_ns,
                    "memoryBytes": 13107200, "memoryLimitBytes": null, "processes": 2, "readBytes": 0, "writtenBytes": 2048 })
            };
            json!({ "at": at, "containers": runs.iter().map(container).collect::<Vec<_>>() })
        };
        let before = reading(100.0, &[("1", 1_000_000_000), ("2", 5)]);
        let mut after = reading(102.0, &[("1", 4_000_000_000), ("3", 7)]);
        rate(&before, &mut after);
        expect![[r#"
            TASK  CONTAINER  CPU %   MEMORY    LIMIT  PROCESSES  READ  WRITTEN
            aaaa  app        150.00  12.5 MiB  -      2          0 B   2.0 KiB
            aaaa  app        -       12.5 MiB  -      2          0 B   2.0 KiB
        "#]]
        .assert_eq(&table(&rows(&after)));
    }
}
