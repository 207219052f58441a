//! Lines become events as in Docker's awslogs driver: one each, or, with a pattern, all lines up to the next that matches.
//! Pieces of a line that is too long for the file are put together again. Pure; knows which line is the first that is in no
//! event yet.

use super::cloudwatch::Events;
use crate::shell::logging::{Dropped, Line, Lines, Stream};
use regex::Regex;

/// A message of CloudWatch Logs at most, as the driver has it: 256 KiB with the 26 bytes that an event counts beside it.
const LONGEST: usize = 256 * 1024 - 26;

pub struct Joiner {
    /// None: every line is an event.
    event_start: Option<Regex>,
    /// Of each stream.
    pieces: [Held; 2],
    event: Held,
    /// Where the lines that were seen end.
    seen: u64,
}

/// Text that is not complete.
#[derive(Default)]
struct Held {
    text: String,
    time_ms: i64,
    /// Where its first line begins.
    start: Option<u64>,
}

impl Held {
    fn add(&mut self, time_ms: i64, start: u64, text: &str) {
        if self.start.is_none() {
            (self.start, self.time_ms) = (Some(start), time_ms);
        }
        self.text.push_str(text);
    }

    fn fits(&self, text: &str) -> bool {
        self.text.len() + text.len() <= LONGEST
    }
}

impl Joiner {
    pub fn new(event_start: Option<Regex>, taken: u64) -> Joiner {
        Joiner { event_start, pieces: Default::default(), event: Held::default(), seen: taken }
    }

    /// All before this byte is in events that were given out.
    pub fn complete(&self) -> u64 {
        let held = self.pieces.iter().chain([&self.event]);
        held.filter_map(|held| held.start).min().unwrap_or(self.seen)
    }

    /// Of the event that waits for more lines.
    pub fn event_start(&self) -> Option<u64> {
        self.event.start
    }

    pub fn push(&mut self, lines: &Lines, events: &mut Events) {
        if let Some(first) = lines.iter().next() {
            say(lines.dropped, first.time_ms, events);
        }
        for line in lines.iter() {
            self.line(line, events);
            self.seen = line.end;
        }
        self.seen = lines.end.max(self.seen);
    }

    /// An event is over when it has waited for long enough; no line will ever be completed when the output is `over`.
    pub fn flush(&mut self, over: bool, events: &mut Events) {
        if over {
            for stream in [Stream::Stdout, Stream::Stderr] {
                self.end_line(stream, events);
            }
        }
        self.end_event(events);
    }

    fn line(&mut self, line: Line<'_>, events: &mut Events) {
        let piece = &mut self.pieces[line.stream as usize];
        if piece.start.is_none() && !line.partial {
            return self.whole(line.time_ms, self.seen, line.text, events);
        }
        if !piece.fits(line.text) {
            self.end_line(line.stream, events);
        }
        self.pieces[line.stream as usize].add(line.time_ms, self.seen, line.text);
        if !line.partial {
            self.end_line(line.stream, events);
        }
    }

    fn end_line(&mut self, stream: Stream, events: &mut Events) {
        let held = std::mem::take(&mut self.pieces[stream as usize]);
        if let Some(start) = held.start {
            self.whole(held.time_ms, start, &held.text, events);
        }
    }

    fn whole(&mut self, time_ms: i64, start: u64, text: &str, events: &mut Events) {
        let Some(event_start) = &self.event_start else { return emit(time_ms, text, events) };
        if event_start.is_match(text) || !self.event.fits(text) {
            self.end_event(events);
        }
        self.event.add(time_ms, start, text);
        if text.len() < LONGEST {
            self.event.add(time_ms, start, "\n");
        }
    }

    fn end_event(&mut self, events: &mut Events) {
        let held = std::mem::take(&mut self.event);
        emit(held.time_ms, &held.text, events);
    }
}

/// The service takes no empty message, and none that is too long.
fn emit(time_ms: i64, mut text: &str, events: &mut Events) {
    while !text.is_empty() {
        let (message, rest) = text.split_at(text.floor_char_boundary(LONGEST));
        events.push(time_ms, message);
        text = rest;
    }
}

fn say(dropped: Dropped, time_ms: i64, events: &mut Events) {
    if dropped != Dropped::default() {
        let Dropped { lines, bytes } = dropped;
        let lines = if lines > 0 { format!("{lines} lines ({bytes} bytes)") } else { format!("{bytes} bytes of lines") };
        events.push(time_ms, &format!("slipway: {lines} were dropped here: more was waiting than max-buffer-size allows"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    /// `e` before a line: of stderr; `+` behind it: goes on.
    fn lines(texts: &[&str]) -> Lines {
        let entry = |(index, text): (usize, &&str)| {
            let stream = if text.starts_with('e') { "stderr" } else { "stdout" };
            let (text, partial) = text.strip_suffix('+').map_or((*text, false), |text| (text, true));
            let end = if partial { "" } else { "\\n" };
            let time = format!("2023-11-14T22:13:20.{index:03}Z");
            format!("{{\"time\":\"{time}\",\"stream\":\"{stream}\",\"log\":\"{text}{end}\",\"partial\":{partial}}}\n")
        };
        let mut lines = Lines::default();
        let file: String = texts.iter().enumerate().map(entry).collect();
        lines.parse(file.as_bytes(), 0);
        lines
    }

    /// Events, and how many of the lines are not in one before and after the end.
    fn check(event_start: Option<&str>, texts: &[&str], expected: Expect) {
        let (mut joiner, mut events) = (Joiner::new(event_start.map(|text| Regex::new(text).unwrap()), 0), Events::default());
        let lines = lines(texts);
        joiner.push(&lines, &mut events);
        let before = lines.iter().filter(|line| line.end > joiner.complete()).count();
        joiner.flush(true, &mut events);
        let after = lines.iter().filter(|line| line.end > joiner.complete()).count();
        let text: String = events.iter().map(|(time, message)| format!("{} {message:?}\n", time % 1000)).collect();
        expected.assert_eq(&format!("{text}{before} {after}\n"));
    }

    #[test]
    fn every_line_that_is_not_empty_is_an_event() {
        check(
            None,
            &["a", "", "b"],
            expect![[r#"
            0 "a"
            2 "b"
            0 0
        "#]],
        );
    }

    #[test]
    fn pieces_of_either_stream_are_one_line() {
        check(
            None,
            &["a+", "e+", "-b", "e-c", "d+"],
            expect![[r#"
            0 "a-b"
            1 "ee-c"
            4 "d"
            1 0
        "#]],
        );
    }

    #[test]
    fn with_a_pattern_an_event_lasts_until_the_next_begins() {
        check(
            Some("^INFO"),
            &["x", "INFO a", " b", "", "INFO c"],
            expect![[r#"
            0 "x\n"
            1 "INFO a\n b\n\n"
            4 "INFO c\n"
            1 0
        "#]],
        );
    }

    #[test]
    fn an_event_is_never_longer_than_the_service_takes() {
        let long = "x".repeat(LONGEST - 10);
        let (mut joiner, mut events) = (Joiner::new(Some(Regex::new("^INFO").unwrap()), 0), Events::default());
        joiner.push(&lines(&["INFO", &long, &long, "y"]), &mut events);
        joiner.flush(true, &mut events);
        let lengths: Vec<usize> = events.iter().map(|(_, message)| message.len()).collect();
        assert!(lengths.iter().all(|length| *length <= LONGEST), "{lengths:?}");
        assert_eq!(lengths.iter().sum::<usize>(), 2 * LONGEST - 20 + "INFO\n\n\ny\n".len());
    }
}
