//! What a container's definition says of its log stream, in the options of Docker's driver.

use super::cloudwatch::Destination;
use super::datetime;
use crate::shell::logging::Source;
use regex::Regex;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("must specify a value for log opt '{0}'")]
    Missing(&'static str),
    #[error("must specify valid value for log opt '{0}': {1}")]
    NoBoolean(&'static str, String),
    #[error("you cannot configure log opt 'awslogs-datetime-format' and 'awslogs-multiline-pattern' at the same time")]
    TwoPatterns,
    #[error("awslogs could not parse multiline pattern key \"{0}\": {1}")]
    Pattern(String, regex::Error),
}

/// `prefix/container/task`; without a prefix, Docker's: the container's id.
pub fn destination(source: &Source) -> Result<Destination, Error> {
    let required = |name| source.option(name).filter(|value| !value.is_empty()).ok_or(Error::Missing(name));
    let stream = match source.option("awslogs-stream-prefix").filter(|prefix| !prefix.is_empty()) {
        Some(prefix) => format!("{prefix}/{}/{}", source.container, source.task.id),
        None => source.runtime_id.clone(),
    };
    Ok(Destination {
        account: source.task.arn.split(':').nth(4).unwrap_or_default().to_owned(),
        region: required("awslogs-region")?.to_owned(),
        group: required("awslogs-group")?.to_owned(),
        stream,
        create_group: boolean("awslogs-create-group", source.option("awslogs-create-group"))?,
    })
}

/// As Go reads it.
fn boolean(name: &'static str, value: Option<&str>) -> Result<bool, Error> {
    match value {
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        None | Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some(other) => Err(Error::NoBoolean(name, format!("strconv.ParseBool: parsing {other:?}: invalid syntax"))),
    }
}

/// What a line that begins a new event looks like; none if every line does.
pub fn event_start(source: &Source) -> Result<Option<Regex>, Error> {
    let pattern = match (source.option("awslogs-multiline-pattern"), source.option("awslogs-datetime-format")) {
        (Some(_), Some(_)) => return Err(Error::TwoPatterns),
        (Some(pattern), None) => pattern.to_owned(),
        (None, Some(format)) => datetime::pattern(format),
        (None, None) => return Ok(None),
    };
    Regex::new(&pattern).map(Some).map_err(|error| Error::Pattern(pattern, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use std::sync::Arc;
    use workload::{ContainerSpec, LogSpec, TaskSpec};

    fn check(options: &[(&str, &str)], expected: Expect) {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let log = LogSpec { driver: "awslogs".into(), options };
        let container = ContainerSpec { name: "web".into(), log, ..ContainerSpec::default() };
        let arn = "arn:aws:ecs:us-east-1:123456789012:task/default/7a".into();
        let task = TaskSpec { id: "7a".into(), arn, containers: vec![container], ..TaskSpec::default() };
        let source = Source { task: Arc::new(task), container: "web".into(), runtime_id: "c0ffee".into() };
        let said = || {
            let (to, pattern) = (destination(&source)?, event_start(&source)?);
            let create = if to.create_group { " (made)" } else { "" };
            Ok::<_, Error>(format!("{} {} {}{create} {} {pattern:?}", to.account, to.region, to.group, to.stream))
        };
        expected.assert_eq(&said().unwrap_or_else(|error| error.to_string()));
    }

    #[test]
    fn options_say_where_lines_go_and_what_an_event_is() {
        let with =
            |more: &[(&'static str, &'static str)]| [&[("awslogs-region", "eu-west-1"), ("awslogs-group", "g")], more].concat();
        check(&with(&[]), expect!["123456789012 eu-west-1 g c0ffee None"]);
        check(
            &with(&[("awslogs-stream-prefix", "p"), ("awslogs-create-group", "true")]),
            expect!["123456789012 eu-west-1 g (made) p/web/7a None"],
        );
        check(
            &with(&[("awslogs-multiline-pattern", "^INFO")]),
            expect![[r#"123456789012 eu-west-1 g c0ffee Some(Regex("^INFO"))"#]],
        );
        check(&[("awslogs-region", "eu-west-1")], expect!["must specify a value for log opt 'awslogs-group'"]);
        check(
            &with(&[("awslogs-create-group", "yes")]),
            expect![[
                r#"must specify valid value for log opt 'awslogs-create-group': strconv.ParseBool: parsing "yes": invalid syntax"#
            ]],
        );
        check(
            &with(&[("awslogs-multiline-pattern", "a"), ("awslogs-datetime-format", "%Y")]),
            expect!["you cannot configure log opt 'awslogs-datetime-format' and 'awslogs-multiline-pattern' at the same time"],
        );
    }
}
