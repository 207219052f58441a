//! `{ $.status >= 500 && $.user.name = "a*" }`: conditions on members of messages that are JSON objects.

use super::Invalid;
use super::compare::Comparison;
use super::expression::Expression;
use super::reader::Reader;
use serde_json::Value;

pub struct Condition {
    path: Vec<Step>,
    test: Test,
}

enum Step {
    Member(String),
    Item(usize),
    /// `[*]` and `.*`.
    Every,
}

enum Test {
    Compare(Comparison),
    IsTrue,
    IsFalse,
    IsNull,
    Exists,
    NotExists,
}

pub fn read(reader: &mut Reader<'_>) -> Result<Expression<Condition>, Invalid> {
    reader.expect("{")?;
    let expression = Expression::read(reader, &condition)?;
    reader.expect("}")?;
    Ok(expression)
}

pub fn matches(expression: &Expression<Condition>, message: &str) -> bool {
    match serde_json::from_str::<Value>(message) {
        Ok(document) => expression.holds(&|condition| condition.holds(&document)),
        Err(_) => false,
    }
}

fn condition(reader: &mut Reader<'_>) -> Result<Condition, Invalid> {
    reader.expect("$")?;
    let mut path = Vec::new();
    loop {
        match reader.peek() {
            Some('.') => path.push(dotted(reader)?),
            Some('[') => path.push(bracketed(reader)?),
            _ => return Ok(Condition { path, test: test(reader)? }),
        }
    }
}

fn dotted(reader: &mut Reader<'_>) -> Result<Step, Invalid> {
    reader.expect(".")?;
    match reader.take_while(|c| !c.is_whitespace() && !".[]{}()=!<>&|\"".contains(c)) {
        "" => Err(Invalid),
        "*" => Ok(Step::Every),
        name => Ok(Step::Member(name.to_owned())),
    }
}

fn bracketed(reader: &mut Reader<'_>) -> Result<Step, Invalid> {
    reader.expect("[")?;
    let step = match reader.peek() {
        Some(mark @ ('"' | '\'')) => Step::Member(reader.quoted(mark)?),
        _ if reader.eat("*") => Step::Every,
        _ => Step::Item(reader.take_while(|c| c.is_ascii_digit()).parse().map_err(|_| Invalid)?),
    };
    reader.expect("]")?;
    Ok(step)
}

fn test(reader: &mut Reader<'_>) -> Result<Test, Invalid> {
    if reader.eat_word("IS") {
        let words = [("TRUE", Test::IsTrue), ("FALSE", Test::IsFalse), ("NULL", Test::IsNull)];
        return words.into_iter().find_map(|(word, test)| reader.eat_word(word).then_some(test)).ok_or(Invalid);
    }
    if reader.eat_word("NOT") {
        return if reader.eat_word("EXISTS") { Ok(Test::NotExists) } else { Err(Invalid) };
    }
    if reader.eat_word("EXISTS") {
        return Ok(Test::Exists);
    }
    Comparison::read(reader)?.map(Test::Compare).ok_or(Invalid)
}

impl Condition {
    fn holds(&self, document: &Value) -> bool {
        let found = select(document, &self.path);
        match &self.test {
            Test::NotExists => found.is_empty(),
            Test::Exists => !found.is_empty(),
            test => found.into_iter().any(|value| holds(test, value)),
        }
    }
}

fn holds(test: &Test, value: &Value) -> bool {
    match test {
        Test::IsTrue => *value == Value::Bool(true),
        Test::IsFalse => *value == Value::Bool(false),
        Test::IsNull => value.is_null(),
        Test::Compare(comparison) => match value {
            Value::String(text) => comparison.holds_of_text(text),
            Value::Number(number) => number.as_f64().is_some_and(|number| comparison.holds_of_number(number)),
            _ => false,
        },
        Test::Exists | Test::NotExists => unreachable!("these look at no value"),
    }
}

fn select<'a>(value: &'a Value, path: &[Step]) -> Vec<&'a Value> {
    let Some((step, rest)) = path.split_first() else { return vec![value] };
    match (step, value) {
        (Step::Member(name), Value::Object(members)) => members.get(name).map_or(Vec::new(), |next| select(next, rest)),
        (Step::Item(index), Value::Array(items)) => items.get(*index).map_or(Vec::new(), |next| select(next, rest)),
        (Step::Every, Value::Array(items)) => items.iter().flat_map(|next| select(next, rest)).collect(),
        (Step::Every, Value::Object(members)) => members.values().flat_map(|next| select(next, rest)).collect(),
        _ => Vec::new(),
    }
}
