//! The cluster query language: what `memberOf` constraints and the filter of ListContainerInstances are written in.
//! An expression is kept as a flat program, so that neither reading nor evaluating nor dropping one recurses, however deeply
//! its text is nested. Knows facts about one instance, never the cluster.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html

mod operand;
mod parser;
#[cfg(test)]
mod tests;

use base::Time;
use operand::{Operand, Version};
use regex::Regex;

/// The model's bound of an expression's length.
pub const EXPRESSION_CHARS: usize = 2000;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("the expression is longer than {EXPRESSION_CHARS} characters")]
    TooLong,
    #[error("expected {expected} at character {at}")]
    Expected { expected: &'static str, at: usize },
    #[error("{0} is not a subject")]
    Subject(String),
    #[error("{0} is not an operator")]
    Operator(String),
    #[error("the subject {subject} does not take the operator {operator}")]
    Mismatch { subject: &'static str, operator: &'static str },
    #[error("{value} is not {expected}")]
    Argument { value: String, expected: &'static str },
}

/// What an expression may ask about one container instance.
pub trait Facts {
    fn agent_connected(&self) -> bool;
    fn agent_version(&self) -> &str;
    fn ec2_instance_id(&self) -> Option<&str>;
    fn registered_at(&self) -> Time;
    fn running_tasks_count(&self) -> u64;
    /// `Some(None)`: it has the attribute, without a value.
    fn attribute(&self, name: &str) -> Option<Option<&str>>;
    /// Is there a task on it whose group is such?
    fn any_group(&self, is_such: &mut dyn FnMut(&str) -> bool) -> bool;
}

pub fn parse(text: &str) -> Result<Expr, ParseError> {
    parser::parse(text)
}

#[derive(Clone, Debug)]
pub struct Expr {
    /// In postfix order.
    program: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Test(Test),
    Not,
    And,
    Or,
}

#[derive(Clone, Debug)]
struct Test {
    subject: Subject,
    /// `!=`, `!in`, `!~`, `!exists` hold exactly where their opposites do not, also where there is nothing to compare.
    negated: bool,
    check: Check,
}

#[derive(Clone, Debug, PartialEq)]
enum Subject {
    AgentConnected,
    AgentVersion,
    Attribute(String),
    Ec2InstanceId,
    RegisteredAt,
    RunningTasksCount,
    TaskGroup,
}

#[derive(Clone, Debug)]
enum Check {
    Exists,
    Is(Relation, Operand),
    In(Vec<String>),
    /// Anywhere in the value, as Java's `find`.
    Matches(Regex),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Expr {
    pub fn eval(&self, facts: &dyn Facts) -> bool {
        let mut stack: Vec<bool> = Vec::with_capacity(self.program.len());
        for step in &self.program {
            let value = match step {
                Step::Test(test) => test.holds(facts),
                Step::Not => !pop(&mut stack),
                Step::And => pop(&mut stack) & pop(&mut stack),
                Step::Or => pop(&mut stack) | pop(&mut stack),
            };
            stack.push(value);
        }
        pop(&mut stack)
    }

    /// Whether placing a task of some group may change what it says.
    pub fn looks_at_groups(&self) -> bool {
        self.looks_at(&Subject::TaskGroup)
    }

    pub fn looks_at_running_tasks(&self) -> bool {
        self.looks_at(&Subject::RunningTasksCount)
    }

    fn looks_at(&self, subject: &Subject) -> bool {
        self.program.iter().any(|step| matches!(step, Step::Test(test) if test.subject == *subject))
    }
}

fn pop(stack: &mut Vec<bool>) -> bool {
    stack.pop().expect("the parser writes programs whose operators have their operands")
}

impl Test {
    fn holds(&self, facts: &dyn Facts) -> bool {
        let holds = match &self.subject {
            Subject::AgentConnected => self.check.text(if facts.agent_connected() { "true" } else { "false" }),
            Subject::AgentVersion => self.check.version(facts.agent_version()),
            Subject::Attribute(name) => facts.attribute(name).is_some_and(|value| self.check.text(value.unwrap_or_default())),
            Subject::Ec2InstanceId => facts.ec2_instance_id().is_some_and(|id| self.check.text(id)),
            Subject::RegisteredAt => self.check.time(facts.registered_at()),
            Subject::RunningTasksCount => self.check.count(facts.running_tasks_count()),
            Subject::TaskGroup => facts.any_group(&mut |group| self.check.text(group)),
        };
        holds != self.negated
    }
}

impl Check {
    fn text(&self, value: &str) -> bool {
        match self {
            Check::Exists => true,
            Check::Is(relation, Operand::Text(argument)) => relation.holds(operand::compare_texts(value, argument)),
            Check::Is(..) => false,
            Check::In(values) => values.iter().any(|one| one == value),
            Check::Matches(regex) => regex.is_match(value),
        }
    }

    fn version(&self, value: &str) -> bool {
        matches!(self, Check::Is(relation, Operand::Version(argument)) if relation.holds(Version::new(value).cmp(argument)))
    }

    fn count(&self, value: u64) -> bool {
        matches!(self, Check::Is(relation, Operand::Count(argument)) if relation.holds(value.cmp(argument)))
    }

    fn time(&self, value: Time) -> bool {
        matches!(self, Check::Is(relation, Operand::When(span)) if relation.holds(span.compare(value)))
    }
}

impl Relation {
    fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Relation::Equal => ordering.is_eq(),
            Relation::Greater => ordering.is_gt(),
            Relation::GreaterOrEqual => ordering.is_ge(),
            Relation::Less => ordering.is_lt(),
            Relation::LessOrEqual => ordering.is_le(),
        }
    }
}
