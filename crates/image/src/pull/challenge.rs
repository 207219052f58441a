//! What a registry wants to know before it answers (`WWW-Authenticate`). Pure.

use http_auth::parser::ChallengeParser;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    Basic,
    /// A token from `realm` (distribution's "Token Authentication Specification").
    Bearer {
        realm: String,
        service: Option<String>,
    },
}

/// The best of what the headers offer: a token if there is a choice, so that the password goes to one place only.
pub fn choose<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Challenge> {
    let challenges = headers.flat_map(|header| ChallengeParser::new(header).filter_map(Result::ok));
    let known = challenges.filter_map(|challenge| {
        let parameter = |name: &str| {
            let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_unescaped())
        };
        match challenge.scheme.to_ascii_lowercase().as_str() {
            "bearer" => Some(Challenge::Bearer { realm: parameter("realm")?, service: parameter("service") }),
            "basic" => Some(Challenge::Basic),
            _ => None,
        }
    });
    known.min_by_key(|challenge| *challenge == Challenge::Basic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_preferred_and_the_unknown_passed_over() {
        let bearer = || Challenge::Bearer { realm: "https://auth.test/token".into(), service: Some("r.test".into()) };
        for (headers, expected) in [
            (&[r#"Bearer realm="https://auth.test/token",service="r.test",scope="repository:a:pull""#][..], Some(bearer())),
            (&[r#"bearer Realm="https://auth.test/token", service="r.test""#], Some(bearer())),
            (&[r#"Basic realm="x""#, r#"Bearer realm="https://auth.test/token",service="r.test""#], Some(bearer())),
            (&[r#"Negotiate, Basic realm="x, y""#], Some(Challenge::Basic)),
            (&[r#"Bearer service="x""#], None),
            (&["Negotiate"], None),
            (&["=,="], None),
            (&[], None),
        ] {
            assert_eq!(choose(headers.iter().copied()), expected, "{headers:?}");
        }
    }
}
