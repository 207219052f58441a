//! Which entry of a manifest list is for this machine. Pure; knows only Linux.

use crate::document::Descriptor;
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Platform {
    pub os: String,
    pub architecture: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// What this process was compiled for, in the words of Go, which image documents use.
    pub fn host() -> Platform {
        let (architecture, variant) = match std::env::consts::ARCH {
            "x86_64" => ("amd64", None),
            "x86" => ("386", None),
            "aarch64" => ("arm64", Some("v8")),
            "arm" => ("arm", Some("v7")),
            "powerpc64" => ("ppc64le", None),
            other => (other, None),
        };
        Platform { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: variant.map(str::to_owned) }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

/// The best entry for `host`, the first among equals. An entry without a platform is better than none.
pub fn choose<'a>(host: &Platform, entries: impl IntoIterator<Item = &'a Descriptor>) -> Option<&'a Descriptor> {
    let ranked = entries.into_iter().filter_map(|entry| Some((rank(host, entry)?, entry)));
    // `min_by_key` keeps the first of equals.
    ranked.min_by_key(|(rank, _)| *rank).map(|(_, entry)| entry)
}

/// Smaller is better; `None` cannot run here.
fn rank(host: &Platform, entry: &Descriptor) -> Option<u32> {
    const UNSAID: u32 = 1000;
    let Some(platform) = &entry.platform else {
        return Some(UNSAID);
    };
    if platform.os != host.os || platform.architecture != host.architecture {
        return None;
    }
    match (variant(host), variant(platform)) {
        (_, None) => Some(if host.architecture == "arm" { 500 } else { 0 }),
        // A 32-bit ARM runs everything older than itself; the newest it can run is best.
        (Some(host), Some(entry)) => (entry <= host).then(|| 1 + host - entry),
        // An amd64 host does not say its level here: the lowest level is the safest.
        (None, Some(entry)) => Some(1 + entry),
    }
}

/// 8 of `v8`; arm64's only variant goes without saying.
fn variant(platform: &Platform) -> Option<u32> {
    let number = platform.variant.as_deref()?.strip_prefix('v')?.parse().ok()?;
    if platform.architecture == "arm64" && number == 8 { None } else { Some(number) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        let mut parts = text.split('/').map(str::to_owned);
        Platform { os: parts.next().unwrap(), architecture: parts.next().unwrap(), variant: parts.next() }
    }

    fn check(host: &str, entries: &[&str], expected: Option<usize>) {
        let entry = |text: &&str| Descriptor {
            platform: (!text.is_empty()).then(|| platform(text)),
            ..Descriptor::new("x", crate::digest::Digest::of(text.as_bytes()), 1)
        };
        let entries: Vec<Descriptor> = entries.iter().map(entry).collect();
        let chosen = choose(&platform(host), &entries);
        assert_eq!(chosen.map(|chosen| chosen.digest.clone()), expected.map(|at| entries[at].digest.clone()), "{host}");
    }

    #[test]
    fn the_entry_for_this_machine_is_chosen() {
        check("linux/amd64", &["linux/arm64/v8", "linux/amd64", "windows/amd64"], Some(1));
        check("linux/arm64/v8", &["linux/arm/v7", "linux/arm64"], Some(1));
        check("linux/arm64/v8", &["linux/amd64", "linux/arm64/v8"], Some(1));
        check("linux/arm/v7", &["linux/arm/v5", "linux/arm/v6", "linux/arm/v8"], Some(1));
        check("linux/arm/v6", &["linux/arm/v7"], None);
        check("linux/amd64", &["linux/amd64/v3", "linux/amd64/v2"], Some(1));
        check("linux/amd64", &["linux/amd64/v2", "linux/amd64"], Some(1));
        check("linux/amd64", &["unknown/unknown", "windows/amd64"], None);
        check("linux/amd64", &["windows/amd64", ""], Some(1));
        check("linux/amd64", &[], None);
    }
}
