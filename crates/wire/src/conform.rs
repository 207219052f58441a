//! Holds a parsed body against the model: types, required members, ranges, lengths, patterns, enum values. A wrong type ends
//! the walk with a `SerializationException`; constraints are all collected, as AWS does. The one thing it changes is what the
//! protocol says means the same: nulls in lists and maps are dropped, fractions of integers too.

mod constraint;
#[cfg(test)]
mod tests;

use crate::model::{Kind, Member, Shape};
use crate::{Blob, Error};
use serde_json::{Map, Number, Value};

/// Failures beyond these are not reported: the answer must not be larger than the question.
const FAILURES: usize = 100;

/// Makes `body` one that the typed shape accepts. `constraint_error` is the service's code of a constraint failure.
pub fn conform(body: &mut Value, shape: &Shape, constraint_error: &str) -> Result<(), Error> {
    let mut walk = Walk { path: Vec::new(), failures: Vec::new() };
    walk.value(body, shape)?;
    if walk.failures.is_empty() { Ok(()) } else { Err(Error::validation(constraint_error, &walk.failures)) }
}

struct Walk {
    path: Vec<Segment>,
    failures: Vec<String>,
}

enum Segment {
    Member(&'static str),
    Item(usize),
    Entry(String),
}

impl Walk {
    fn value(&mut self, value: &mut Value, shape: &Shape) -> Result<(), Error> {
        match &shape.kind {
            Kind::Structure(members) => self.members(object(value)?, members),
            Kind::Union(members) => {
                let object = object(value)?;
                one_member(object, members)?;
                self.members(object, members)
            }
            Kind::List(item) => self.list(value, shape, item),
            Kind::Map(key, item) => self.map(value, shape, key, item),
            _ => {
                scalar(value, &shape.kind)?;
                self.report(constraint::broken(value, shape), value, shape);
                Ok(())
            }
        }
    }

    fn members(&mut self, object: &mut Map<String, Value>, members: &'static [Member]) -> Result<(), Error> {
        for member in members {
            self.path.push(Segment::Member(member.name));
            match object.get_mut(member.name) {
                Some(value) if !value.is_null() => self.value(value, member.shape)?,
                _ if member.required => self.missing(),
                _ => {}
            }
            self.path.pop();
        }
        Ok(())
    }

    fn list(&mut self, value: &mut Value, shape: &Shape, item: &Member) -> Result<(), Error> {
        let items = match value {
            Value::Array(items) => items,
            other => return Err(unexpected_collection(other)),
        };
        if !shape.is_sparse() {
            items.retain(|item| !item.is_null());
        }
        let mut any_broken = false;
        for (index, element) in items.iter_mut().enumerate().filter(|(_, element)| !element.is_null()) {
            any_broken |= self.element(element, item.shape, || Segment::Item(index + 1))?;
        }
        self.report(constraint::broken(value, shape), value, shape);
        if any_broken {
            self.report(vec![constraint::all("Member must", item.shape)], value, shape);
        }
        Ok(())
    }

    fn map(&mut self, value: &mut Value, shape: &Shape, key: &Member, item: &Member) -> Result<(), Error> {
        let entries = object(value)?;
        if !shape.is_sparse() {
            entries.retain(|_, entry| !entry.is_null());
        }
        let (mut keys_broken, mut values_broken) = (false, false);
        for (name, entry) in entries.iter_mut().filter(|(_, entry)| !entry.is_null()) {
            keys_broken |= !constraint::broken_text(name, key.shape).is_empty();
            values_broken |= self.element(entry, item.shape, || Segment::Entry(name.clone()))?;
        }
        self.report(constraint::broken(value, shape), value, shape);
        if keys_broken {
            self.report(vec![constraint::all("Map keys must", key.shape)], value, shape);
        }
        if values_broken {
            self.report(vec![constraint::all("Map value must", item.shape)], value, shape);
        }
        Ok(())
    }

    /// A scalar's constraint failures are the collection's: AWS reports them once, at the collection. True if it has any.
    fn element(&mut self, value: &mut Value, shape: &Shape, segment: impl FnOnce() -> Segment) -> Result<bool, Error> {
        if shape.kind.is_scalar() {
            scalar(value, &shape.kind)?;
            return Ok(!constraint::broken(value, shape).is_empty());
        }
        self.path.push(segment());
        self.value(value, shape)?;
        self.path.pop();
        Ok(false)
    }

    fn missing(&mut self) {
        self.fail("Value null", "Member must not be null");
    }

    fn report(&mut self, constraints: Vec<String>, value: &Value, shape: &Shape) {
        for constraint in constraints {
            let shown = constraint::show(value, shape);
            self.fail(&shown, &constraint);
        }
    }

    fn fail(&mut self, value: &str, constraint: &str) {
        if self.failures.len() < FAILURES {
            self.failures.push(format!("{value} at '{}' failed to satisfy constraint: {constraint}", self.place()));
        }
    }

    /// `tags.1.member.key`, counting from one.
    fn place(&self) -> String {
        let segments: Vec<String> = self.path.iter().map(Segment::to_text).collect();
        segments.join(".")
    }
}

impl Segment {
    fn to_text(&self) -> String {
        match self {
            Segment::Member(name) => (*name).to_owned(),
            Segment::Item(number) => format!("{number}.member"),
            Segment::Entry(key) => format!("{}.member", constraint::shorten(key)),
        }
    }
}

fn object(value: &mut Value) -> Result<&mut Map<String, Value>, Error> {
    match value {
        Value::Object(object) => Ok(object),
        other => Err(unexpected_collection(other)),
    }
}

fn one_member(object: &Map<String, Value>, members: &[Member]) -> Result<(), Error> {
    let set = members.iter().filter(|member| object.get(member.name).is_some_and(|value| !value.is_null())).count();
    if set == 1 { Ok(()) } else { Err(Error::serialization(format!("Expected exactly one member of a union, found {set}."))) }
}

fn scalar(value: &mut Value, kind: &Kind) -> Result<(), Error> {
    let fits = match (kind, &mut *value) {
        (Kind::String, Value::String(_)) | (Kind::Boolean, Value::Bool(_)) | (Kind::Document, _) => true,
        (Kind::Float | Kind::Double | Kind::Timestamp, Value::Number(_)) => true,
        (Kind::Integer, Value::Number(number)) => truncate(number, i32::MIN.into(), i32::MAX.into()),
        (Kind::Long, Value::Number(number)) => truncate(number, i64::MIN, i64::MAX),
        (Kind::Blob, Value::String(text)) => Blob::is_base64(text),
        _ => false,
    };
    if fits { Ok(()) } else { Err(not_convertible(value, kind)) }
}

/// `1.0` and `1.7` are 1 to AWS, whose parser reads numbers with its `TruncatingBigNumber`.
fn truncate(number: &mut Number, min: i64, max: i64) -> bool {
    let whole = match (number.as_i64(), number.as_f64()) {
        (Some(whole), _) => whole,
        // A float that large has no fraction to lose; i64::MAX as a float is one too many.
        (None, Some(float)) if float >= i64::MIN as f64 && float < i64::MAX as f64 => float.trunc() as i64,
        _ => return false,
    };
    *number = Number::from(whole);
    (min..=max).contains(&whole)
}

fn not_convertible(value: &Value, kind: &Kind) -> Error {
    let token = match value {
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(number) if number.is_f64() => "DECIMAL_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) | Value::Object(_) => return unexpected_collection(value),
    };
    Error::serialization(format!("{token} cannot be converted to {}", kind.java_name()))
}

fn unexpected_collection(value: &Value) -> Error {
    Error::serialization(match value {
        Value::Array(_) => "Start of list found where not expected",
        Value::Object(_) => "Start of structure or map found where not expected",
        _ => "Unexpected field type",
    })
}

impl Kind {
    fn is_scalar(&self) -> bool {
        !matches!(self, Kind::Structure(_) | Kind::Union(_) | Kind::List(_) | Kind::Map(..))
    }

    /// What AWS's messages call it.
    fn java_name(&self) -> &'static str {
        match self {
            Kind::Integer => "Integer",
            Kind::Long => "Long",
            Kind::Float => "Float",
            Kind::Double => "Double",
            Kind::Boolean => "Boolean",
            Kind::Timestamp => "milliseconds since epoch",
            Kind::Blob => "ByteBuffer",
            _ => "String",
        }
    }
}
