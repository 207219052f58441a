//! A comparison with what the pattern gives: a number, text with `*` for anything, or a regular expression.

use super::Invalid;
use super::reader::Reader;
use regex::Regex;

pub struct Comparison {
    operator: Operator,
    operand: Operand,
}

#[derive(Clone, Copy, PartialEq)]
enum Operator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

enum Operand {
    /// Also as it was written, for text that is compared with it.
    Number(f64, String),
    Text(Regex),
}

/// The longer ones first.
const OPERATORS: [(&str, Operator); 6] = [
    ("!=", Operator::Unequal),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("=", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

impl Comparison {
    /// None if no operator is next.
    pub fn read(reader: &mut Reader<'_>) -> Result<Option<Comparison>, Invalid> {
        let Some((_, operator)) = OPERATORS.into_iter().find(|(text, _)| reader.eat(text)) else { return Ok(None) };
        let operand = operand(reader)?;
        let ordered = !matches!(operator, Operator::Equal | Operator::Unequal);
        if ordered && !matches!(operand, Operand::Number(..)) {
            return Err(Invalid);
        }
        Ok(Some(Comparison { operator, operand }))
    }

    pub fn holds_of_text(&self, text: &str) -> bool {
        match &self.operand {
            Operand::Text(pattern) => pattern.is_match(text) == (self.operator == Operator::Equal),
            Operand::Number(number, written) => match text.parse() {
                Ok(other) => self.holds(other, *number),
                Err(_) => (text == written) == (self.operator == Operator::Equal) && self.is_about_equality(),
            },
        }
    }

    pub fn holds_of_number(&self, number: f64) -> bool {
        match &self.operand {
            Operand::Number(other, _) => self.holds(number, *other),
            Operand::Text(pattern) => pattern.is_match(&number.to_string()) == (self.operator == Operator::Equal),
        }
    }

    fn is_about_equality(&self) -> bool {
        matches!(self.operator, Operator::Equal | Operator::Unequal)
    }

    #[allow(clippy::float_cmp)] // what is written equal is equal
    fn holds(&self, one: f64, other: f64) -> bool {
        match self.operator {
            Operator::Equal => one == other,
            Operator::Unequal => one != other,
            Operator::Less => one < other,
            Operator::LessOrEqual => one <= other,
            Operator::Greater => one > other,
            Operator::GreaterOrEqual => one >= other,
        }
    }
}

fn operand(reader: &mut Reader<'_>) -> Result<Operand, Invalid> {
    reader.space();
    match reader.peek() {
        Some('"') => Ok(Operand::Text(wildcard(&reader.quoted('"')?)?)),
        Some('%') => Ok(Operand::Text(pattern(&reader.quoted('%')?)?)),
        _ => match reader.take_while(|c| !c.is_whitespace() && !"\"(){}[],&|=<>!".contains(c)) {
            "" => Err(Invalid),
            text => match text.parse() {
                Ok(number) => Ok(Operand::Number(number, text.to_owned())),
                Err(_) => Ok(Operand::Text(wildcard(text)?)),
            },
        },
    }
}

fn wildcard(text: &str) -> Result<Regex, Invalid> {
    let parts: Vec<String> = text.split('*').map(regex::escape).collect();
    pattern(&format!("(?s)^{}$", parts.join(".*")))
}

pub fn pattern(source: &str) -> Result<Regex, Invalid> {
    Regex::new(source).map_err(|_| Invalid)
}
