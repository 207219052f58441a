//! Whether a task can be on an instance at all, and why not in the words of `failures[].reason`: resources first, then
//! attributes, then constraints, the order AWS documents.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html

use super::{Candidate, Request, Rule};
use crate::node::ledger::Shortage;
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The agent is not connected.
    Agent,
    Cpu,
    Memory,
    Gpu,
    Ports,
    Attribute,
    MemberOf,
    DistinctInstance,
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Agent => "AGENT",
            Reason::Cpu => "RESOURCE:CPU",
            Reason::Memory => "RESOURCE:MEMORY",
            Reason::Gpu => "RESOURCE:GPU",
            Reason::Ports => "RESOURCE:PORTS",
            Reason::Attribute => "ATTRIBUTE",
            Reason::MemberOf => "MemberOf placement constraint unsatisfied.",
            Reason::DistinctInstance => "DistinctInstance placement constraint unsatisfied.",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Shortage> for Reason {
    fn from(shortage: Shortage) -> Reason {
        match shortage {
            Shortage::Cpu => Reason::Cpu,
            Shortage::Memory => Reason::Memory,
            Shortage::Ports => Reason::Ports,
        }
    }
}

/// Whether one more task of the request can be there after `already` of them in this batch.
pub fn check(request: &Request, candidate: &Candidate, already: u32) -> Result<(), Reason> {
    if !candidate.node.connected {
        return Err(Reason::Agent);
    }
    candidate.ledger.check(&candidate.node.facts, &request.claim, already)?;
    // No node has one yet.
    if request.gpus > 0 {
        return Err(Reason::Gpu);
    }
    if !has_attributes(request, candidate) {
        return Err(Reason::Attribute);
    }
    for rule in &request.rules {
        match rule {
            Rule::MemberOf(expression) if !expression.eval(&candidate.facts(request, already)) => return Err(Reason::MemberOf),
            Rule::DistinctInstance if candidate.group_tasks(request) + already > 0 => return Err(Reason::DistinctInstance),
            _ => {}
        }
    }
    Ok(())
}

/// Whether it is a place for such tasks, full or not: what a daemon asks.
pub fn is_eligible(request: &Request, candidate: &Candidate) -> bool {
    let meets = |rule: &Rule| match rule {
        Rule::MemberOf(expression) => expression.eval(&candidate.facts(request, 0)),
        Rule::DistinctInstance => true,
    };
    has_attributes(request, candidate) && request.rules.iter().all(meets)
}

fn has_attributes(request: &Request, candidate: &Candidate) -> bool {
    request.attributes.iter().all(|wanted| match (candidate.attribute(&wanted.name), &wanted.value) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(value), Some(wanted)) => value == Some(wanted.as_str()),
    })
}
