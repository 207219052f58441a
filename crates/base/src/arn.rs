//! Amazon resource names: `arn:partition:service:region:account:resource`.

use crate::Scope;
use std::fmt;
use std::str::FromStr;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arn {
    pub partition: String,
    pub service: String,
    pub region: String,
    pub account: String,
    /// Everything behind the fifth colon, e.g. `task/default/0f3a…`.
    pub resource: String,
}

#[derive(Debug, PartialEq, Eq)]
pub struct NotAnArn;

impl Arn {
    pub fn new(scope: &Scope, service: &str, resource: impl Into<String>) -> Arn {
        Arn {
            partition: partition(&scope.region).to_owned(),
            service: service.to_owned(),
            region: scope.region.clone(),
            account: scope.account.clone(),
            resource: resource.into(),
        }
    }

    /// `task` of `task/default/0f3a…`.
    pub fn kind(&self) -> &str {
        self.resource.split(['/', ':']).next().unwrap_or_default()
    }

    /// What follows the kind, split at `/`.
    pub fn path(&self) -> Vec<&str> {
        self.resource.split('/').skip(1).collect()
    }
}

fn partition(region: &str) -> &'static str {
    match region {
        r if r.starts_with("cn-") => "aws-cn",
        r if r.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:{}:{}:{}:{}:{}", self.partition, self.service, self.region, self.account, self.resource)
    }
}

impl FromStr for Arn {
    type Err = NotAnArn;
    fn from_str(text: &str) -> Result<Arn, NotAnArn> {
        let mut parts = text.splitn(6, ':').map(str::to_owned);
        let mut next = || parts.next().ok_or(NotAnArn);
        if next()? != "arn" {
            return Err(NotAnArn);
        }
        Ok(Arn { partition: next()?, service: next()?, region: next()?, account: next()?, resource: next()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_it_prints() {
        let text = "arn:aws:ecs:eu-west-1:123456789012:task/default/0f3a";
        let arn: Arn = text.parse().unwrap();
        assert_eq!((arn.to_string().as_str(), arn.kind(), arn.path()), (text, "task", vec!["default", "0f3a"]));
        assert_eq!("default".parse::<Arn>(), Err(NotAnArn));
    }
}
