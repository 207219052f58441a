//! The filter pattern language: terms, JSON selectors in braces, space-delimited fields in brackets. A pattern is read once
//! and then asked about every message.

mod compare;
mod expression;
mod fields;
mod json;
mod reader;
mod terms;
#[cfg(test)]
mod tests;

use expression::Expression;
use fields::Fields;
use json::Condition;
use reader::Reader;
use terms::Terms;

pub enum Filter {
    Terms(Terms),
    Json(Expression<Condition>),
    Fields(Fields),
}

/// The text is no pattern.
#[derive(Debug, PartialEq, Eq)]
pub struct Invalid;

impl Filter {
    pub fn parse(pattern: &str) -> Result<Filter, Invalid> {
        let pattern = pattern.trim();
        let mut reader = Reader::new(pattern);
        let filter = match pattern.chars().next() {
            Some('{') => Filter::Json(json::read(&mut reader)?),
            Some('[') => Filter::Fields(Fields::read(&mut reader)?),
            _ => Filter::Terms(Terms::read(&mut reader)?),
        };
        if reader.is_done() { Ok(filter) } else { Err(Invalid) }
    }

    pub fn matches(&self, message: &str) -> bool {
        match self {
            Filter::Terms(terms) => terms.matches(message),
            Filter::Json(expression) => json::matches(expression, message),
            Filter::Fields(fields) => fields.matches(message),
        }
    }
}
