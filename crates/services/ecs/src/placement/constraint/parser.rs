//! Text to program, operator by operator with explicit stacks: `not` binds closest, then `and`, then `or`.
//! Arguments are read by what their operator takes, because a regular expression may contain anything.

use super::operand::Operand;
use super::{Check, EXPRESSION_CHARS, Expr, ParseError, Relation, Step, Subject, Test};
use regex::{Regex, RegexBuilder};

/// A pattern of 2000 characters can ask for an automaton of gigabytes; no instance attribute needs one this large.
const REGEX_BYTES: usize = 1 << 20;

pub fn parse(text: &str) -> Result<Expr, ParseError> {
    if text.chars().count() > EXPRESSION_CHARS {
        return Err(ParseError::TooLong);
    }
    let mut parser = Parser { text, at: 0, waiting: Vec::new(), program: Vec::new() };
    loop {
        parser.operand()?;
        if !parser.after_operand()? {
            return Ok(Expr { program: parser.program });
        }
    }
}

/// What waits for its right operand, loosest last.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Waiting {
    Open,
    Or,
    And,
    Not,
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    waiting: Vec<Waiting>,
    program: Vec<Step>,
}

#[derive(Clone, Copy, PartialEq)]
enum Operator {
    Is(Relation),
    Exists,
    In,
    Matches,
}

/// Symbol or word, what it means, and whether it is the opposite of that. A symbol stands before those that it begins with.
const OPERATORS: &[(&str, Operator, bool)] = &[
    ("==", Operator::Is(Relation::Equal), false),
    ("equals", Operator::Is(Relation::Equal), false),
    ("!=", Operator::Is(Relation::Equal), true),
    ("not_equals", Operator::Is(Relation::Equal), true),
    (">=", Operator::Is(Relation::GreaterOrEqual), false),
    ("greater_than_equal", Operator::Is(Relation::GreaterOrEqual), false),
    (">", Operator::Is(Relation::Greater), false),
    ("greater_than", Operator::Is(Relation::Greater), false),
    ("<=", Operator::Is(Relation::LessOrEqual), false),
    ("less_than_equal", Operator::Is(Relation::LessOrEqual), false),
    ("<", Operator::Is(Relation::Less), false),
    ("less_than", Operator::Is(Relation::Less), false),
    ("=~", Operator::Matches, false),
    ("matches", Operator::Matches, false),
    ("!~", Operator::Matches, true),
    ("not_matches", Operator::Matches, true),
    ("exists", Operator::Exists, false),
    ("!exists", Operator::Exists, true),
    ("not_exists", Operator::Exists, true),
    ("in", Operator::In, false),
    ("!in", Operator::In, true),
    ("not_in", Operator::In, true),
];

impl<'a> Parser<'a> {
    /// `not`s and opening parentheses, then one simple expression.
    fn operand(&mut self) -> Result<(), ParseError> {
        loop {
            if self.eat("(") {
                self.waiting.push(Waiting::Open);
            } else if self.eat("!") || self.eat_word("not") {
                self.waiting.push(Waiting::Not);
            } else {
                let test = self.simple()?;
                self.program.push(Step::Test(test));
                return Ok(());
            }
        }
    }

    /// Closing parentheses, then `and` or `or`; false at the end of the text.
    fn after_operand(&mut self) -> Result<bool, ParseError> {
        while self.eat(")") {
            self.settle(Waiting::Or);
            if self.waiting.pop() != Some(Waiting::Open) {
                return Err(self.expected("an operator"));
            }
        }
        if self.eat("&&") || self.eat_word("and") {
            self.settle(Waiting::And);
            self.waiting.push(Waiting::And);
            return Ok(true);
        }
        if self.eat("||") || self.eat_word("or") {
            self.settle(Waiting::Or);
            self.waiting.push(Waiting::Or);
            return Ok(true);
        }
        if !self.rest().is_empty() {
            return Err(self.expected("and, or or the end"));
        }
        self.settle(Waiting::Or);
        if self.waiting.is_empty() { Ok(false) } else { Err(self.expected("a closing parenthesis")) }
    }

    /// Writes out what binds at least as closely as `bound`.
    fn settle(&mut self, bound: Waiting) {
        while let Some(top) = self.waiting.last().copied().filter(|top| *top >= bound) {
            self.waiting.pop();
            self.program.push(match top {
                Waiting::Not => Step::Not,
                Waiting::And => Step::And,
                _ => Step::Or,
            });
        }
    }

    fn simple(&mut self) -> Result<Test, ParseError> {
        let subject = self.subject()?;
        let (spelling, operator, negated) = self.operator()?;
        if !subject.takes(operator) {
            return Err(ParseError::Mismatch { subject: subject.name(), operator: spelling });
        }
        let check = match operator {
            Operator::Exists => Check::Exists,
            Operator::In => Check::In(self.list()?),
            Operator::Matches => Check::Matches(regex(self.pattern()?)?),
            Operator::Is(relation) => Check::Is(relation, Operand::of(&subject, self.literal()?)?),
        };
        Ok(Test { subject, negated, check })
    }

    fn subject(&mut self) -> Result<Subject, ParseError> {
        let word = self.word();
        if word.is_empty() {
            return Err(self.expected("a subject"));
        }
        Ok(match word {
            "agentConnected" => Subject::AgentConnected,
            "agentVersion" => Subject::AgentVersion,
            "ec2InstanceId" => Subject::Ec2InstanceId,
            "registeredAt" => Subject::RegisteredAt,
            "runningTasksCount" => Subject::RunningTasksCount,
            "task:group" => Subject::TaskGroup,
            _ => match word.strip_prefix("attribute:").filter(|name| !name.is_empty()) {
                Some(name) => Subject::Attribute(name.to_owned()),
                None => return Err(ParseError::Subject(word.to_owned())),
            },
        })
    }

    fn operator(&mut self) -> Result<(&'static str, Operator, bool), ParseError> {
        let found = OPERATORS.iter().find(|(spelling, ..)| match spelling.ends_with(|c: char| c.is_ascii_lowercase()) {
            true => self.eat_word(spelling),
            false => self.eat(spelling),
        });
        match found {
            Some(found) => Ok(*found),
            None => Err(self.unknown_operator()),
        }
    }

    fn unknown_operator(&mut self) -> ParseError {
        match self.until(|c| c.is_whitespace() || "()".contains(c)) {
            "" => self.expected("an operator"),
            word => ParseError::Operator(word.to_owned()),
        }
    }

    /// `[a, 'b', "c"]`
    fn list(&mut self) -> Result<Vec<String>, ParseError> {
        if !self.eat("[") {
            return Err(self.expected("a list in brackets"));
        }
        let mut items = Vec::new();
        loop {
            items.push(match self.quoted()? {
                Some(item) => item,
                None => self.until(|c| c == ',' || c == ']').trim_end().to_owned(),
            });
            if self.eat("]") {
                return Ok(items);
            }
            if !self.eat(",") {
                return Err(self.expected("a comma or a closing bracket"));
            }
        }
    }

    fn literal(&mut self) -> Result<String, ParseError> {
        if let Some(quoted) = self.quoted()? {
            return Ok(quoted);
        }
        let literal = self.until(|c| c.is_whitespace() || "()&|,".contains(c));
        if literal.is_empty() { Err(self.expected("a value")) } else { Ok(literal.to_owned()) }
    }

    /// Up to a space or a parenthesis that it did not open.
    fn pattern(&mut self) -> Result<String, ParseError> {
        if let Some(quoted) = self.quoted()? {
            return Ok(quoted);
        }
        let (mut depth, mut in_class, mut escaped) = (0usize, false, false);
        let pattern = self.until(|c| {
            let literal = escaped;
            escaped = c == '\\' && !literal;
            match c {
                _ if c.is_whitespace() => return true,
                _ if literal => {}
                '[' => in_class = true,
                ']' => in_class = false,
                '(' if !in_class => depth += 1,
                ')' if !in_class && depth == 0 => return true,
                ')' if !in_class => depth -= 1,
                _ => {}
            }
            false
        });
        if pattern.is_empty() { Err(self.expected("a regular expression")) } else { Ok(pattern.to_owned()) }
    }

    fn quoted(&mut self) -> Result<Option<String>, ParseError> {
        let Some(quote) = ["'", "\""].into_iter().find(|quote| self.eat(quote)) else { return Ok(None) };
        let Some(end) = self.text[self.at..].find(quote) else { return Err(self.expected("a closing quote")) };
        let text = self.text[self.at..self.at + end].to_owned();
        self.at += end + quote.len();
        Ok(Some(text))
    }

    /// What remains, without the spaces before it.
    fn rest(&mut self) -> &'a str {
        let rest = self.text[self.at..].trim_start();
        self.at = self.text.len() - rest.len();
        rest
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let ends = |after: &str| !after.starts_with(is_word);
        rest.strip_prefix(word).is_some_and(ends) && self.eat(word)
    }

    fn word(&mut self) -> &'a str {
        self.until(|c| !is_word(c))
    }

    /// The characters before the first that `ends`.
    fn until(&mut self, ends: impl FnMut(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(ends).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn expected(&self, expected: &'static str) -> ParseError {
        ParseError::Expected { expected, at: self.text[..self.at].chars().count() + 1 }
    }
}

/// Characters of subjects and attribute names.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_./\\:".contains(c)
}

fn regex(pattern: String) -> Result<Regex, ParseError> {
    let built = RegexBuilder::new(&pattern).size_limit(REGEX_BYTES).build();
    built.map_err(|_| ParseError::Argument { value: pattern, expected: "a regular expression" })
}

impl Subject {
    fn name(&self) -> &'static str {
        match self {
            Subject::AgentConnected => "agentConnected",
            Subject::AgentVersion => "agentVersion",
            Subject::Attribute(_) => "attribute",
            Subject::Ec2InstanceId => "ec2InstanceId",
            Subject::RegisteredAt => "registeredAt",
            Subject::RunningTasksCount => "runningTasksCount",
            Subject::TaskGroup => "task:group",
        }
    }

    fn takes(&self, operator: Operator) -> bool {
        let is_text = matches!(operator, Operator::Is(Relation::Equal) | Operator::In | Operator::Matches);
        match self {
            Subject::Attribute(_) => true,
            Subject::AgentConnected | Subject::Ec2InstanceId | Subject::TaskGroup => is_text,
            Subject::AgentVersion | Subject::RegisteredAt | Subject::RunningTasksCount => matches!(operator, Operator::Is(_)),
        }
    }
}
