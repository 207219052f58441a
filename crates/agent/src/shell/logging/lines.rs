//! Lines of a container's output as they come from its file, packed: one text for all of them, nothing allocated per line.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use std::fmt;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    #[default]
    Stdout,
    Stderr,
}

/// What the container wrote up to a line end, which is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    pub time_ms: i64,
    pub stream: Stream,
    pub text: &'a str,
    /// Too long for one entry: goes on in the next of the same stream.
    pub partial: bool,
    /// The container's output up to this byte is this line and those before it.
    pub end: u64,
}

/// What nobody will see: more was waiting than the driver's buffer takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    pub lines: u64,
    /// Of text.
    pub bytes: u64,
}

#[derive(Debug, Default)]
pub struct Lines {
    /// Before the first of these lines.
    pub dropped: Dropped,
    /// The container's output up to this byte is in these lines, or in none.
    pub end: u64,
    text: String,
    entries: Vec<Entry>,
    /// The time that was read last: many lines have the same.
    time: (String, i64),
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    time_ms: i64,
    stream: Stream,
    text_end: usize,
    partial: bool,
    end: u64,
}

impl Lines {
    pub fn iter(&self) -> impl Iterator<Item = Line<'_>> {
        let mut start = 0;
        self.entries.iter().map(move |entry| {
            let text = &self.text[std::mem::replace(&mut start, entry.text_end)..entry.text_end];
            Line { time_ms: entry.time_ms, stream: entry.stream, text, partial: entry.partial, end: entry.end }
        })
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.dropped == Dropped::default()
    }

    /// Whole entries, as the shim wrote them from byte `start` on. What is none (a header, something torn by a crash of the
    /// machine) is passed over.
    pub fn parse(&mut self, bytes: &[u8], start: u64) {
        self.end = start;
        for entry in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.end += entry.len() as u64;
            let text_start = self.text.len();
            let mut read = serde_json::Deserializer::from_slice(entry);
            match (Reading { lines: self }).deserialize(&mut read) {
                Ok(parsed) => self.push(parsed),
                Err(_) => self.text.truncate(text_start),
            }
        }
    }

    fn push(&mut self, parsed: Entry) {
        if self.text.ends_with('\n') && !parsed.partial {
            self.text.pop();
        }
        self.entries.push(Entry { text_end: self.text.len(), end: self.end, ..parsed });
    }

    fn time_ms(&mut self, text: &str) -> Option<i64> {
        if self.time.0 != text {
            self.time = (text.to_owned(), text.parse::<jiff::Timestamp>().ok()?.as_millisecond());
        }
        Some(self.time.1)
    }
}

/// `{"time": …, "stream": …, "log": …, "partial": …}`
struct Reading<'a> {
    lines: &'a mut Lines,
}

impl<'de> DeserializeSeed<'de> for Reading<'_> {
    type Value = Entry;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Entry, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an entry of a log file")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        let (mut entry, mut has_text) = (Entry::default(), false);
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "time" => {
                    let time = self.lines.time_ms(map.next_value()?);
                    entry.time_ms = time.ok_or_else(|| A::Error::custom("no time"))?;
                }
                "stream" => {
                    let is_stderr = map.next_value::<&str>()? == "stderr";
                    entry.stream = if is_stderr { Stream::Stderr } else { Stream::Stdout };
                }
                "log" => {
                    map.next_value_seed(Append(&mut self.lines.text))?;
                    has_text = true;
                }
                "partial" => entry.partial = map.next_value()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if has_text { Ok(entry) } else { Err(A::Error::missing_field("log")) }
    }
}

struct Append<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Append<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Append<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(file: &str, expected: Expect) {
        let mut lines = Lines::default();
        lines.parse(file.as_bytes(), 100);
        let text: String = lines.iter().map(|line| format!("{line:?}\n")).collect();
        expected.assert_eq(&format!("{text}{}\n", lines.end));
    }

    #[test]
    fn entries_become_lines_and_the_rest_is_passed_over() {
        let file = r#"{"from":100}
{"time":"2023-11-14T22:13:20.123Z","stream":"stdout","log":"a \"b\" \u001b[0m\n"}
{"time":"2023-11-14T22:13:20.123Z","stream":"stderr","log":"half\n","partial":true}
{"time":"2023-11-14T22:13:20.500Z","stream":"stdout","log":"to
{"time":"2023-11-14T22:13:20.500Z","stream":"stdout","log":"no line end"}
"#;
        check(
            file,
            expect![[r#"
                Line { time_ms: 1700000000123, stream: Stdout, text: "a \"b\" \u{1b}[0m", partial: false, end: 195 }
                Line { time_ms: 1700000000123, stream: Stderr, text: "half\n", partial: true, end: 279 }
                Line { time_ms: 1700000000500, stream: Stdout, text: "no line end", partial: false, end: 416 }
                416
            "#]],
        );
    }
}
