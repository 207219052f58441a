//! How a command answers: a table for people, or the server's JSON for programs.

use super::say;
use base::{Clock, SystemClock};
use serde_json::Value;
use std::time::Duration;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    #[default]
    Text,
    Json,
}

/// Columns as wide as their widest cell.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let cell = |(column, text): (usize, &String)| format!("{text:<width$}", width = widths[column]);
    let line = |row: &Vec<String>| row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ").trim_end().to_owned();
    rows.iter().map(|row| line(row) + "\n").collect()
}

/// Without the line end that `say` adds.
pub fn print_table(rows: &[Vec<String>]) {
    say(table(rows).trim_end_matches('\n'));
}

pub fn print_json(value: &Value) {
    say(format_args!("{value:#}"));
}

pub fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

/// What stands behind the last slash of an ARN, or all of it.
pub fn name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// How long ago a time of the API was.
pub fn age(at: &Value) -> String {
    let now = SystemClock.now().seconds_f64();
    at.as_f64().map_or_else(|| "-".into(), |at| short(Duration::from_secs_f64((now - at).max(0.0))))
}

/// `2026-11-20T12:34:56.789Z`, from the API's seconds.
pub fn date(at: &Value) -> String {
    let millis = at.as_f64().map(|seconds| (seconds * 1000.0).round() as i64);
    let time = millis.and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    time.map_or_else(|| "-".into(), |time| format!("{time:.3}"))
}

/// The two largest units.
fn short(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{}s", seconds % 60),
        (0, _, _) => format!("{hours}h{}m", minutes % 60),
        _ => format!("{days}d{}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn columns_line_up_and_lines_have_no_blank_end() {
        let rows = [["TASK", "STATE"], ["a", "RUNNING"], ["abcdef", ""]].map(|row| row.map(str::to_owned).to_vec());
        expect![[r#"
            TASK    STATE
            a       RUNNING
            abcdef
        "#]]
        .assert_eq(&table(&rows));
    }

    #[test]
    fn ages_show_their_two_largest_units() {
        let cases = [(0, "0s"), (59, "59s"), (60, "1m0s"), (3599, "59m59s"), (3600, "1h0m"), (86399, "23h59m"), (90000, "1d1h")];
        for (seconds, expected) in cases {
            assert_eq!(short(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn dates_are_of_the_api_to_the_millisecond() {
        assert_eq!(date(&serde_json::json!(1_700_000_000.25)), "2023-11-14T22:13:20.250Z");
        assert_eq!(date(&Value::Null), "-");
    }
}
