//! What is to be placed: AWS's constraints and strategies read once, so that placing has nothing left to refuse.

use super::constraint::{self, Expr};
use crate::task::Claim;
use api_ecs as api;

/// RunTask's documented bounds.
pub const STRATEGIES: usize = 5;
const CONSTRAINTS: usize = 10;

/// A number of equal tasks of one group.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub claim: Claim,
    pub gpus: u32,
    pub attributes: Vec<Wanted>,
    pub rules: Vec<Rule>,
    pub strategies: Vec<Strategy>,
    /// `node::ledger::group_key` of the group; what stands behind its last slash is the group.
    pub group_key: String,
    pub count: usize,
}

/// An attribute that an instance must have, with this value if one is said.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    pub name: String,
    pub value: Option<String>,
}

#[derive(Clone, Debug)]
pub enum Rule {
    MemberOf(Expr),
    DistinctInstance,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Strategy {
    Random,
    Spread(Field),
    Binpack(Resource),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// `instanceId`, or `host`, which is the same.
    Instance,
    Attribute(String),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Resource {
    Cpu,
    Memory,
}

/// The constraints of the definition and those of the request, all of them binding.
pub fn rules(
    definition: &api::TaskDefinition,
    constraints: Option<&[api::PlacementConstraint]>,
) -> Result<Vec<Rule>, api::Error> {
    let of_definition = definition.placement_constraints.iter().flatten().map(|constraint| member_of(&constraint.expression));
    let of_request = constraints.into_iter().flatten().map(|constraint| match constraint.r#type {
        Some(api::PlacementConstraintType::DistinctInstance) => distinct_instance(&constraint.expression),
        Some(_) => member_of(&constraint.expression),
        None => Err(api::Error::invalid_parameter("The type of a placement constraint is distinctInstance or memberOf.")),
    });
    let rules: Vec<Rule> = of_definition.chain(of_request).collect::<Result<_, _>>()?;
    if rules.len() > CONSTRAINTS {
        return Err(api::Error::invalid_parameter(format!("Constraints should have at most {CONSTRAINTS} items.")));
    }
    Ok(rules)
}

fn member_of(expression: &Option<String>) -> Result<Rule, api::Error> {
    let Some(expression) = expression.as_deref().filter(|text| !text.trim().is_empty()) else {
        return Err(api::Error::invalid_parameter("Expression should not be empty for a memberOf constraint."));
    };
    let parsed = constraint::parse(expression);
    parsed.map(Rule::MemberOf).map_err(|error| api::Error::invalid_parameter(format!("Invalid expression: {error}.")))
}

fn distinct_instance(expression: &Option<String>) -> Result<Rule, api::Error> {
    match expression.as_deref() {
        None | Some("") => Ok(Rule::DistinctInstance),
        Some(_) => Err(api::Error::invalid_parameter("distinctInstance expression should not be specified.")),
    }
}

pub fn strategies(given: Option<&[api::PlacementStrategy]>) -> Result<Vec<Strategy>, api::Error> {
    let given = given.unwrap_or_default();
    if given.len() > STRATEGIES {
        return Err(api::Error::invalid_parameter(format!("Maximum number of strategies is {STRATEGIES}.")));
    }
    given.iter().map(strategy).collect()
}

fn strategy(given: &api::PlacementStrategy) -> Result<Strategy, api::Error> {
    let field = given.field.as_deref().unwrap_or_default();
    let refuse = |kind: &str| Err(api::Error::invalid_parameter(format!("{kind} field '{field}' is invalid.")));
    match &given.r#type {
        Some(api::PlacementStrategyType::Spread) => match field {
            "instanceId" | "host" => Ok(Strategy::Spread(Field::Instance)),
            _ => match field.strip_prefix("attribute:").filter(|name| !name.is_empty()) {
                Some(name) => Ok(Strategy::Spread(Field::Attribute(name.to_owned()))),
                None => refuse("spread"),
            },
        },
        Some(api::PlacementStrategyType::Binpack) => match field.to_ascii_lowercase().as_str() {
            "cpu" => Ok(Strategy::Binpack(Resource::Cpu)),
            "memory" => Ok(Strategy::Binpack(Resource::Memory)),
            _ => refuse("binpack"),
        },
        Some(api::PlacementStrategyType::Random) if field.is_empty() => Ok(Strategy::Random),
        Some(api::PlacementStrategyType::Random) => Err(api::Error::invalid_parameter("random field should not be specified.")),
        _ => Err(api::Error::invalid_parameter("The type of a placement strategy is random, spread or binpack.")),
    }
}
