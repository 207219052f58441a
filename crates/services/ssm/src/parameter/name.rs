//! How parameters are named: rules on new names, selectors behind names, ARNs.

use super::invalid;
use api_ssm as api;
use base::{Arn, Scope};

const MOST_LEVELS: usize = 15;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    Newest,
    Version(i64),
    Label(String),
}

/// `name`, `name:3`, `name:label`, and the same behind an ARN. The selector is given back with its colon.
pub fn split(given: &str) -> (&str, Option<&str>, Selector) {
    // The colons of an ARN come before the resource, which begins with `parameter/`.
    let from = if given.starts_with("arn:") { given.find("parameter/").unwrap_or(0) } else { 0 };
    let Some(at) = given[from..].find(':').map(|at| from + at) else { return (given, None, Selector::Newest) };
    let text = &given[at + 1..];
    let selector = text.parse().map_or_else(|_| Selector::Label(text.to_owned()), Selector::Version);
    (&given[..at], Some(&given[at..]), selector)
}

/// What `given` may be the name of: an ARN does not say whether a name of one level begins with a slash. In other accounts
/// nothing is found.
pub fn candidates(scope: &Scope, given: &str) -> Vec<(Scope, String)> {
    if !given.starts_with("arn:") {
        return vec![(scope.clone(), given.to_owned())];
    }
    let Some(arn) = given.parse::<Arn>().ok().filter(|arn| arn.account == scope.account) else { return vec![] };
    let Some(name) = arn.resource.strip_prefix("parameter/").filter(|_| arn.service == "ssm") else { return vec![] };
    let scope = Scope::new(arn.account, arn.region);
    vec![(scope.clone(), name.to_owned()), (scope, format!("/{name}"))]
}

/// A name that a parameter is to be made under.
pub fn check(name: &str) -> Result<(), wire::Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
    let first = name.trim_start_matches('/').split('/').next().unwrap_or_default().to_ascii_lowercase();
    if first.starts_with("aws") || first.starts_with("ssm") || !name.chars().all(plain) || name.contains("//") || name == "/" {
        return Err(invalid(
            "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). If formed as a path, it can consist \
             of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following \
             3 symbols .-_",
        ));
    }
    if name.contains('/') && !name.starts_with('/') {
        return Err(invalid("Parameter name must be a fully qualified name."));
    }
    if name.matches('/').count() > MOST_LEVELS {
        let sentence = "A parameter name hierarchy can have a maximum of 15 levels. Enter a shorter hierarchy.";
        return Err(api::Error::hierarchy_level_limit_exceeded(sentence).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_follows_a_name_or_an_arn() {
        let arn = "arn:aws:ssm:us-east-1:123456789012:parameter/a/b";
        assert_eq!(split("/a/b"), ("/a/b", None, Selector::Newest));
        assert_eq!(split("/a/b:3"), ("/a/b", Some(":3"), Selector::Version(3)));
        assert_eq!(split("a:prod"), ("a", Some(":prod"), Selector::Label("prod".into())));
        assert_eq!(split(arn), (arn, None, Selector::Newest));
        assert_eq!(split(&format!("{arn}:7")), (arn, Some(":7"), Selector::Version(7)));
    }

    #[test]
    fn an_arn_means_a_name_with_or_without_a_slash() {
        let scope = Scope::new("1", "r");
        let names =
            |given| candidates(&scope, given).into_iter().map(|(scope, name)| format!("{scope} {name}")).collect::<Vec<_>>();
        assert_eq!(names("/a"), ["1/r /a"]);
        assert_eq!(names("arn:aws:ssm:eu-west-1:1:parameter/a/b"), ["1/eu-west-1 a/b", "1/eu-west-1 /a/b"]);
        assert_eq!(names("arn:aws:ssm:eu-west-1:2:parameter/a/b"), [""; 0]);
        assert_eq!(names("arn:aws:s3:::parameter/a"), [""; 0]);
    }
}
