//! What clients give where a resource is meant: its name, or an ARN. An ARN of another kind, account, region or cluster is
//! refused as AWS refuses it, never taken for a name.

use api_ecs::Error;
use base::{Arn, Scope};

/// The name of a resource that belongs to the account: `prod`, or the ARN whose resource is `cluster/prod`.
pub fn name<'a>(scope: &Scope, kind: &str, given: &'a str) -> Result<&'a str, Error> {
    let Some(path) = path(scope, kind, given)? else {
        return if given.contains(['/', ':']) { Err(separators()) } else { Ok(given) };
    };
    if path.contains(['/', ':']) { Err(separators()) } else { Ok(path) }
}

/// The last part of a resource that belongs to a cluster: an id, `cluster/id`, or an ARN in the long or the old short form.
pub fn in_cluster<'a>(scope: &Scope, kind: &str, cluster: &str, given: &'a str) -> Result<&'a str, Error> {
    let path = path(scope, kind, given)?.unwrap_or(given);
    match path.split('/').collect::<Vec<_>>()[..] {
        [id] if !id.contains(':') => Ok(id),
        [theirs, id] if theirs == cluster => Ok(id),
        [theirs, _] => Err(identifier(format!("Identifier is for cluster {theirs}. Your cluster is {cluster}"))),
        _ => Err(separators()),
    }
}

/// The cluster, the service and the id that the ARN of something of a service ends in.
pub fn of_service(scope: &Scope, kind: &str, given: &str) -> Result<[String; 3], Error> {
    let Some(path) = path(scope, kind, given)? else { return Err(separators()) };
    match path.split('/').collect::<Vec<_>>()[..] {
        [cluster, service, id] => Ok([cluster, service, id].map(str::to_owned)),
        _ => Err(separators()),
    }
}

/// `family`, `family:7`, or either inside an ARN: the family and the revision as text.
pub fn family_and_revision<'a>(scope: &Scope, given: &'a str) -> Result<(&'a str, Option<&'a str>), Error> {
    let path = path(scope, "task-definition", given)?.unwrap_or(given);
    match path.split(':').collect::<Vec<_>>()[..] {
        [family] => Ok((family, None)),
        [family, revision] => Ok((family, Some(revision))),
        _ => Err(separators()),
    }
}

/// What follows `kind/` if `given` is an ARN at all.
fn path<'a>(scope: &Scope, kind: &str, given: &'a str) -> Result<Option<&'a str>, Error> {
    if !given.starts_with("arn:") {
        return Ok(None);
    }
    let arn: Arn = given.parse().map_err(|_| separators())?;
    belongs(scope, &arn)?;
    let resource = &given[given.len() - arn.resource.len()..];
    match resource.split_once('/') {
        Some((theirs, path)) if theirs == kind => Ok(Some(path)),
        _ => Err(identifier(format!("Identifier is for a resource of type {}. Expected type {kind}", arn.kind()))),
    }
}

/// Refuses an ARN of another service, region or account.
pub fn belongs(scope: &Scope, arn: &Arn) -> Result<(), Error> {
    let expected =
        [("service", &*arn.service, "ecs"), ("region", &arn.region, &scope.region), ("accountId", &arn.account, &scope.account)];
    match expected.into_iter().find(|(_, theirs, ours)| theirs != ours) {
        Some((what, theirs, ours)) => Err(identifier(format!("Identifier is for {theirs}. Your {what} is {ours}"))),
        None => Ok(()),
    }
}

fn separators() -> Error {
    identifier("Unexpected number of separators".to_owned())
}

fn identifier(message: String) -> Error {
    Error::invalid_parameter(format!("Invalid identifier: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope::new("123456789012", "us-east-1")
    }

    fn said<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
        result.map_or_else(|error| error.message().replace("Invalid identifier: ", "! "), |value| format!("{value:?}"))
    }

    #[test]
    fn a_name_or_an_arn_means_the_same() {
        let cases = [
            ("prod", r#""prod""#),
            ("arn:aws:ecs:us-east-1:123456789012:cluster/prod", r#""prod""#),
            ("arn:aws:ecs:us-east-1:123456789012:cluster/a/b", "! Unexpected number of separators"),
            (
                "arn:aws:ecs:us-east-1:123456789012:task/prod",
                "! Identifier is for a resource of type task. Expected type cluster",
            ),
            ("arn:aws:ecs:eu-west-1:123456789012:cluster/prod", "! Identifier is for eu-west-1. Your region is us-east-1"),
            (
                "arn:aws:ecs:us-east-1:210987654321:cluster/prod",
                "! Identifier is for 210987654321. Your accountId is 123456789012",
            ),
            ("arn:aws:iam:us-east-1:123456789012:cluster/prod", "! Identifier is for iam. Your service is ecs"),
            ("arn:aws", "! Unexpected number of separators"),
            ("a/b", "! Unexpected number of separators"),
        ];
        for (given, expected) in cases {
            assert_eq!(said(name(&scope(), "cluster", given)), expected, "{given}");
        }
    }

    #[test]
    fn what_is_in_a_cluster_may_name_it() {
        let cases = [
            ("0f3a", r#""0f3a""#),
            ("prod/0f3a", r#""0f3a""#),
            ("arn:aws:ecs:us-east-1:123456789012:task/prod/0f3a", r#""0f3a""#),
            ("arn:aws:ecs:us-east-1:123456789012:task/0f3a", r#""0f3a""#),
            ("arn:aws:ecs:us-east-1:123456789012:task/dev/0f3a", "! Identifier is for cluster dev. Your cluster is prod"),
            ("a/b/c", "! Unexpected number of separators"),
        ];
        for (given, expected) in cases {
            assert_eq!(said(in_cluster(&scope(), "task", "prod", given)), expected, "{given}");
        }
    }

    #[test]
    fn a_task_definition_may_name_its_revision() {
        let cases = [
            ("web", r#"("web", None)"#),
            ("web:7", r#"("web", Some("7"))"#),
            ("arn:aws:ecs:us-east-1:123456789012:task-definition/web:7", r#"("web", Some("7"))"#),
            ("arn:aws:ecs:us-east-1:123456789012:task-definition/web", r#"("web", None)"#),
            ("web:7:1", "! Unexpected number of separators"),
        ];
        for (given, expected) in cases {
            assert_eq!(said(family_and_revision(&scope(), given)), expected, "{given}");
        }
    }
}
