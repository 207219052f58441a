//! Which devices a container may open or create: Docker's list, then the definition's. Version 1 is told with text,
//! version 2 with a small eBPF program (`super::bpf`).

use super::limits::Write;
use serde::{Deserialize, Serialize};

/// An allowance; what no rule allows is denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    pub kind: Kind,
    /// `None`: any.
    pub major: Option<u32>,
    pub minor: Option<u32>,
    pub read: bool,
    pub write: bool,
    pub mknod: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    All,
    Block,
    Char,
}

const fn char(major: u32, minor: Option<u32>) -> Rule {
    Rule { kind: Kind::Char, major: Some(major), minor, read: true, write: true, mknod: true }
}

const fn mknod_only(kind: Kind) -> Rule {
    Rule { kind, major: None, minor: None, read: false, write: false, mknod: true }
}

/// Docker's default: null, zero, full, random, urandom, tty, console, ptmx and pts; nodes of any kind may be made, not opened.
const DEFAULT: [Rule; 10] = [
    mknod_only(Kind::Char),
    mknod_only(Kind::Block),
    char(1, Some(3)),
    char(1, Some(5)),
    char(1, Some(7)),
    char(1, Some(8)),
    char(1, Some(9)),
    char(5, Some(0)),
    char(5, Some(2)),
    char(136, None),
];

pub const EVERYTHING: Rule = Rule { kind: Kind::All, major: None, minor: None, read: true, write: true, mknod: true };

pub fn default_and(more: impl IntoIterator<Item = Rule>) -> Vec<Rule> {
    DEFAULT.into_iter().chain(more).collect()
}

pub fn v1(rules: &[Rule]) -> Vec<Write> {
    let deny = Write { controller: "devices", file: "devices.deny", value: "a".to_owned(), optional: false };
    let allow = |rule: &Rule| Write { controller: "devices", file: "devices.allow", value: line(rule), optional: false };
    std::iter::once(deny).chain(rules.iter().map(allow)).collect()
}

/// `c 1:3 rwm`
fn line(rule: &Rule) -> String {
    let kind = match rule.kind {
        Kind::All => return "a".to_owned(),
        Kind::Block => 'b',
        Kind::Char => 'c',
    };
    let number = |n: Option<u32>| n.map_or("*".to_owned(), |n| n.to_string());
    let access: String = [(rule.read, 'r'), (rule.write, 'w'), (rule.mknod, 'm')].iter().filter(|a| a.0).map(|a| a.1).collect();
    format!("{kind} {}:{} {access}", number(rule.major), number(rule.minor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn version_1_denies_all_and_then_allows_dockers_list() {
        let fuse = Rule { kind: Kind::Char, major: Some(10), minor: Some(229), read: true, write: true, mknod: false };
        let text: String = v1(&default_and([fuse])).iter().map(|w| format!("{} {}\n", w.file, w.value)).collect();
        expect![[r#"
            devices.deny a
            devices.allow c *:* m
            devices.allow b *:* m
            devices.allow c 1:3 rwm
            devices.allow c 1:5 rwm
            devices.allow c 1:7 rwm
            devices.allow c 1:8 rwm
            devices.allow c 1:9 rwm
            devices.allow c 5:0 rwm
            devices.allow c 5:2 rwm
            devices.allow c 136:* rwm
            devices.allow c 10:229 rw
        "#]]
        .assert_eq(&text);
    }
}
