//! Words and phrases that a message must hold (`ERROR`, `"a phrase"`), of which it must hold one (`?ERROR ?WARN`), and that
//! it must not hold (`-debug`); between percent signs, regular expressions.

use super::Invalid;
use super::compare::pattern;
use super::reader::Reader;
use regex::Regex;

#[derive(Default)]
pub struct Terms {
    needed: Vec<Term>,
    excluded: Vec<Term>,
    optional: Vec<Term>,
}

enum Term {
    Text(String),
    Pattern(Regex),
}

impl Terms {
    pub fn read(reader: &mut Reader<'_>) -> Result<Terms, Invalid> {
        let mut terms = Terms::default();
        while !reader.is_done() {
            let kind = match reader.peek() {
                Some('?') if reader.eat("?") => &mut terms.optional,
                Some('-') if reader.eat("-") => &mut terms.excluded,
                _ => &mut terms.needed,
            };
            kind.push(term(reader)?);
        }
        Ok(terms)
    }

    /// Optional terms beside others decide nothing, as in CloudWatch Logs.
    pub fn matches(&self, message: &str) -> bool {
        let found = |term: &Term| match term {
            Term::Text(text) => message.contains(text.as_str()),
            Term::Pattern(pattern) => pattern.is_match(message),
        };
        if self.needed.is_empty() && self.excluded.is_empty() {
            return self.optional.is_empty() || self.optional.iter().any(found);
        }
        self.needed.iter().all(found) && !self.excluded.iter().any(found)
    }
}

fn term(reader: &mut Reader<'_>) -> Result<Term, Invalid> {
    match reader.peek() {
        Some('"') => Ok(Term::Text(reader.quoted('"')?)),
        Some('%') => Ok(Term::Pattern(pattern(&reader.quoted('%')?)?)),
        _ => match reader.take_while(|c| !c.is_whitespace() && !"\"{}[]".contains(c)) {
            "" => Err(Invalid),
            text => Ok(Term::Text(text.to_owned())),
        },
    }
}
