//! What stands right of a comparison, read by what stands left of it: text, a version, a count or a point in time.

use super::{ParseError, Subject};
use base::Time;
use std::cmp::Ordering;
use std::time::Duration;

#[derive(Clone, Debug)]
pub enum Operand {
    Text(String),
    Version(Version),
    Count(u64),
    When(Span),
}

impl Operand {
    pub fn of(subject: &Subject, text: String) -> Result<Operand, ParseError> {
        let refuse = |expected| ParseError::Argument { value: text.clone(), expected };
        Ok(match subject {
            Subject::AgentVersion => Operand::Version(Version::new(&text)),
            Subject::RunningTasksCount => Operand::Count(text.parse().map_err(|_| refuse("a number"))?),
            Subject::RegisteredAt => Operand::When(Span::parse(&text).ok_or_else(|| refuse("a date"))?),
            _ => Operand::Text(text),
        })
    }
}

/// Numbers compare as numbers (`attribute:disks > 9`), everything else as text.
pub fn compare_texts(value: &str, argument: &str) -> Ordering {
    match (value.parse::<i64>(), argument.parse::<i64>()) {
        (Ok(value), Ok(argument)) => value.cmp(&argument),
        _ => value.cmp(argument),
    }
}

/// `1.14.5`: compared number by number; what is missing is zero, so 1.14 is 1.14.0.
#[derive(Clone, Debug)]
pub struct Version(Vec<u64>);

impl Version {
    pub fn new(text: &str) -> Version {
        let number = |part: &str| {
            let digits = part.find(|c: char| !c.is_ascii_digit()).map_or(part, |end| &part[..end]);
            digits.parse().unwrap_or(0)
        };
        Version(text.trim_start_matches('v').split('.').map(number).collect())
    }

    pub fn cmp(&self, other: &Version) -> Ordering {
        let at = |version: &Version, i: usize| version.0.get(i).copied().unwrap_or(0);
        let length = self.0.len().max(other.0.len());
        (0..length).map(|i| at(self, i).cmp(&at(other, i))).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// What a date means when compared: its whole day, or its second.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    from: Time,
    until: Time,
}

impl Span {
    /// `2018-06-18`, `2018-06-18T22:28:28`, the same with `Z` or `+00:00`. Without a zone it is UTC.
    fn parse(text: &str) -> Option<Span> {
        if let Ok(date) = text.parse::<jiff::civil::Date>()
            && text.len() == "2018-06-18".len()
        {
            return Span::starting(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp(), Duration::from_secs(24 * 3600));
        }
        let timestamp = text.parse::<jiff::Timestamp>().ok().or_else(|| {
            let civil = text.parse::<jiff::civil::DateTime>().ok()?;
            Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
        })?;
        Span::starting(timestamp, Duration::from_secs(1))
    }

    fn starting(at: jiff::Timestamp, length: Duration) -> Option<Span> {
        let from = Time(u64::try_from(at.as_second()).ok()?.checked_mul(1000)?);
        Some(Span { from, until: from + length })
    }

    /// Where `time` lies: before, in or after.
    pub fn compare(self, time: Time) -> Ordering {
        match time {
            _ if time < self.from => Ordering::Less,
            _ if time >= self.until => Ordering::Greater,
            _ => Ordering::Equal,
        }
    }
}
