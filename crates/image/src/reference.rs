//! Image references as Docker reads them: `busybox` is `library/busybox:latest` of the default registry, a first component
//! with a dot, a colon or the name `localhost` is a registry. By hand, since the library's pattern costs megabytes resident.

use crate::digest::Digest;
use crate::error::{Error, Result};
use std::fmt;

const LONGEST_REPOSITORY: usize = 255;
const LONGEST_TAG: usize = 128;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// As written; `None` means the default registry, whichever that is.
    pub registry: Option<String>,
    /// `library/` stands before a one-component name without a registry.
    pub repository: String,
    /// `latest` when neither tag nor digest was written.
    pub tag: Option<String>,
    pub digest: Option<Digest>,
}

impl Reference {
    pub fn parse(text: &str) -> Result<Reference> {
        let invalid = |why| Error::InvalidReference(text.to_owned(), why);
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse::<Digest>().map_err(|_| invalid("unsupported digest"))?)),
            None => (text, None),
        };
        let (registry, rest) = split_registry(rest);
        let (path, tag) = match rest.split_once(':') {
            Some((path, tag)) => (path, Some(tag.to_owned())),
            None => (rest, None),
        };
        if registry.is_some_and(|registry| !is_registry(registry)) {
            return Err(invalid("the registry is not a host name with an optional port"));
        }
        if let Some(why) = wrong_with_repository(path) {
            return Err(invalid(why));
        }
        if tag.as_deref().is_some_and(|tag| !is_tag(tag)) {
            return Err(invalid("invalid tag format"));
        }
        let tag = if tag.is_none() && digest.is_none() { Some("latest".to_owned()) } else { tag };
        let official = registry.is_none() && !path.contains('/');
        let repository = if official { format!("library/{path}") } else { path.to_owned() };
        Ok(Reference { registry: registry.map(str::to_owned), repository, tag, digest })
    }

    /// The same image when `default` is what a missing registry stands for.
    pub fn without_registry(mut self, default: Option<&str>) -> Reference {
        if self.registry.as_deref() == default {
            self.registry = None;
        }
        self
    }

    /// What names are kept by. A digest decides alone: the tag beside it is only a remark.
    pub fn key(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => format!("{}@{digest}", self.name()),
            (None, Some(tag)) => format!("{}:{tag}", self.name()),
            (None, None) => unreachable!("parse gives a tag to what has no digest"),
        }
    }

    /// Registry and repository.
    pub fn name(&self) -> String {
        match &self.registry {
            Some(registry) => format!("{registry}/{}", self.repository),
            None => self.repository.clone(),
        }
    }

    /// The repository the way people write it: without `library/`.
    pub fn familiar_name(&self) -> String {
        let name = self.name();
        if self.registry.is_none() { name.strip_prefix("library/").unwrap_or(&name).to_owned() } else { name }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.familiar_name())?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

fn split_registry(text: &str) -> (Option<&str>, &str) {
    match text.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
        _ => (None, text),
    }
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => return address.parse::<std::net::Ipv6Addr>().is_ok() && is_port(port),
        None => text.find(':').map_or((text, ""), |colon| text.split_at(colon)),
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    host.split('.').all(label) && is_port(port)
}

/// Empty, or a colon and a number.
fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
}

fn wrong_with_repository(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        Some("repository name must have at least one component")
    } else if path.len() > LONGEST_REPOSITORY {
        Some("repository name must not be more than 255 characters")
    } else if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Some("repository name must be lowercase")
    } else if path.split('/').all(is_component) {
        None
    } else {
        Some("repository name has a malformed component")
    }
}

/// Letters and digits, in between `.`, `_`, `__` or any number of `-`.
fn is_component(component: &str) -> bool {
    let separators = component.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()).filter(|run| !run.is_empty());
    let bounded = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    bounded(component.chars().next())
        && bounded(component.chars().last())
        && separators.into_iter().all(|run| matches!(run, "." | "_" | "__") || run.bytes().all(|byte| byte == b'-'))
}

fn is_tag(tag: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    !tag.is_empty() && tag.len() <= LONGEST_TAG && tag.bytes().all(allowed) && !tag.starts_with(['.', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, expect: Expect) {
        let seen = match Reference::parse(text) {
            Ok(reference) => format!("{} = {reference}", reference.key()),
            Err(error) => error.to_string(),
        };
        expect.assert_eq(&seen);
    }

    const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn names_are_completed_as_docker_completes_them() {
        check("busybox", expect!["library/busybox:latest = busybox:latest"]);
        check("busybox:1.36", expect!["library/busybox:1.36 = busybox:1.36"]);
        check("library/busybox", expect!["library/busybox:latest = busybox:latest"]);
        check("team/app:v1", expect!["team/app:v1 = team/app:v1"]);
        check("localhost/app", expect!["localhost/app:latest = localhost/app:latest"]);
        check("localhost:5000/a/b/c", expect!["localhost:5000/a/b/c:latest = localhost:5000/a/b/c:latest"]);
        check("registry.test/app:v1", expect!["registry.test/app:v1 = registry.test/app:v1"]);
        check("127.0.0.1:5000/app", expect!["127.0.0.1:5000/app:latest = 127.0.0.1:5000/app:latest"]);
        check("[::1]:5000/app", expect!["[::1]:5000/app:latest = [::1]:5000/app:latest"]);
        check("a__b/c-d/e--f.g_h", expect!["a__b/c-d/e--f.g_h:latest = a__b/c-d/e--f.g_h:latest"]);
    }

    #[test]
    fn a_digest_decides_alone() {
        check(
            &format!("busybox@sha256:{HEX}"),
            expect![
                "library/busybox@sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad = busybox@sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
            ],
        );
        check(
            &format!("r.test:1/b:v1@sha256:{HEX}"),
            expect![
                "r.test:1/b@sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad = r.test:1/b:v1@sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
            ],
        );
    }

    #[test]
    fn malformed_names_are_refused() {
        check("", expect![[r#"invalid reference format: "": repository name must have at least one component"#]]);
        check("Busybox", expect![[r#"invalid reference format: "Busybox": repository name must be lowercase"#]]);
        check("a//b", expect![[r#"invalid reference format: "a//b": repository name has a malformed component"#]]);
        check("../b", expect![[r#"invalid reference format: "../b": the registry is not a host name with an optional port"#]]);
        check("a/../b", expect![[r#"invalid reference format: "a/../b": repository name has a malformed component"#]]);
        check("a___b", expect![[r#"invalid reference format: "a___b": repository name has a malformed component"#]]);
        check("a:", expect![[r#"invalid reference format: "a:": invalid tag format"#]]);
        check("a:-x", expect![[r#"invalid reference format: "a:-x": invalid tag format"#]]);
        check("a:b:c", expect![[r#"invalid reference format: "a:b:c": invalid tag format"#]]);
        check("a@sha256:00", expect![[r#"invalid reference format: "a@sha256:00": unsupported digest"#]]);
        check(
            "h:99999/a",
            expect![[r#"invalid reference format: "h:99999/a": the registry is not a host name with an optional port"#]],
        );
        check("a b", expect![[r#"invalid reference format: "a b": repository name has a malformed component"#]]);
        assert!(Reference::parse(&"a".repeat(256)).is_err());
    }

    #[test]
    fn the_default_registry_is_the_same_as_none() {
        let written = Reference::parse("registry.test/library/busybox").unwrap();
        assert_eq!(written.without_registry(Some("registry.test")), Reference::parse("busybox").unwrap());
    }
}
