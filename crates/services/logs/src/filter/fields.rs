//! `[ip, user, ..., status = 4*, bytes > 1000]`: conditions on the words of a message. Text in quotes or brackets is one word.

use super::Invalid;
use super::compare::Comparison;
use super::expression::Expression;
use super::reader::Reader;

/// A field that has a name only may be anything.
type Field = Expression<Option<Comparison>>;

pub struct Fields {
    first: Vec<Field>,
    /// Behind `...`, which stands for any number of words.
    last: Option<Vec<Field>>,
}

impl Fields {
    pub fn read(reader: &mut Reader<'_>) -> Result<Fields, Invalid> {
        reader.expect("[")?;
        let mut fields = Fields { first: Vec::new(), last: None };
        loop {
            if reader.eat("...") {
                if fields.last.replace(Vec::new()).is_some() {
                    return Err(Invalid);
                }
            } else {
                let field = Expression::read(reader, &condition)?;
                fields.last.as_mut().unwrap_or(&mut fields.first).push(field);
            }
            if reader.eat("]") {
                return Ok(fields);
            }
            reader.expect(",")?;
        }
    }

    pub fn matches(&self, message: &str) -> bool {
        let words = words(message);
        let last = self.last.as_deref().unwrap_or_default();
        let named = self.first.len() + last.len();
        if words.len() < named || (self.last.is_none() && words.len() > named) {
            return false;
        }
        let ending = &words[words.len() - last.len()..];
        self.first.iter().zip(&words).chain(last.iter().zip(ending)).all(|(field, word)| {
            field.holds(&|condition| condition.as_ref().is_none_or(|comparison| comparison.holds_of_text(word)))
        })
    }
}

fn condition(reader: &mut Reader<'_>) -> Result<Option<Comparison>, Invalid> {
    reader.space();
    match reader.take_while(|c| c.is_alphanumeric() || "_-.@$".contains(c)) {
        "" => Err(Invalid),
        _ => Comparison::read(reader),
    }
}

fn words(message: &str) -> Vec<&str> {
    let (mut words, mut rest) = (Vec::new(), message.trim());
    while !rest.is_empty() {
        let end = match rest.as_bytes()[0] {
            b'"' => closing(rest, '"'),
            b'[' => closing(rest, ']'),
            _ => None,
        };
        let (word, behind) = match end {
            Some(end) => (&rest[1..end], &rest[end + 1..]),
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        words.push(word);
        rest = behind.trim_start();
    }
    words
}

fn closing(text: &str, mark: char) -> Option<usize> {
    text[1..].find(mark).map(|index| index + 1)
}
