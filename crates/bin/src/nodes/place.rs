//! Where a node keeps its things and what they are called on the host: so that nodes of one server, and servers side by side
//! each with its own data directory, never take each other's. Pure. A server's only node is the host itself, with the plain
//! names and every address the host has.

use super::fleet::{Fleet, MOST};
use crate::config::{Config, DATA_DIR};
use anyhow::ensure;
use std::path::{Path, PathBuf};

const FNV_OFFSET: u32 = 0x811c_9dc5;
const FNV_PRIME: u32 = 0x0100_0193;
/// What tells links apart: their names have room for one character more.
const DIGITS: &[u8; MOST + 1] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub name: String,
    pub home: PathBuf,
    pub zone: String,
    pub cgroup: String,
    pub table: String,
    pub link_prefix: String,
    /// Which part of the server's range of addresses it has; `None`: all of the host's.
    pub part: Option<usize>,
    /// What was asked for of it and of its like.
    pub fleet: Fleet,
}

/// Numbered through, fleet after fleet.
pub fn places(config: &Config) -> anyhow::Result<Vec<Place>> {
    let nodes = config.nodes.iter().flat_map(|fleet| (0..fleet.count).map(move |index| (fleet, index)));
    let nodes: Vec<(&Fleet, usize)> = nodes.collect();
    ensure!(nodes.len() <= MOST, "{} nodes are more than {MOST}", nodes.len());
    Ok(match nodes[..] {
        [(fleet, _)] => vec![host(config, fleet)],
        _ => nodes.iter().zip(1..).map(|((fleet, index), number)| one_of_many(config, number, fleet, *index)).collect(),
    })
}

/// How the links of all nodes of this server begin.
pub fn link_prefix(data_dir: &Path) -> String {
    match server_name(data_dir).split_once('-') {
        Some((_, hash)) => format!("sl{hash}"),
        None => "slw".into(),
    }
}

/// Where containers in the host's own network ask about themselves, at 169.254.170.2. Port 80, as everywhere, is the usual
/// directory's; a server beside it has one that follows from its name, as its containers outlive its process.
pub fn metadata_host_port(data_dir: &Path) -> u16 {
    let name = server_name(data_dir);
    let hash = name.split_once('-').and_then(|(_, hash)| u16::from_str_radix(hash, 16).ok());
    hash.map_or(80, |hash| hash | 1 << 15)
}

/// Where nodes are that are not the host itself.
pub fn homes(data_dir: &Path) -> PathBuf {
    data_dir.join("nodes")
}

fn host(config: &Config, fleet: &Fleet) -> Place {
    Place {
        name: name(1),
        home: config.data_dir.clone(),
        zone: fleet.zone(0, &config.region),
        cgroup: server_name(&config.data_dir),
        table: server_name(&config.data_dir),
        link_prefix: link_prefix(&config.data_dir),
        part: None,
        fleet: fleet.clone(),
    }
}

fn one_of_many(config: &Config, number: usize, fleet: &Fleet, index: usize) -> Place {
    let (name, server) = (name(number), server_name(&config.data_dir));
    Place {
        home: homes(&config.data_dir).join(&name),
        zone: fleet.zone(index, &config.region),
        cgroup: format!("{server}/{name}"),
        table: format!("{server}-{name}"),
        link_prefix: format!("{}{}", link_prefix(&config.data_dir), char::from(DIGITS[number])),
        part: Some(number),
        fleet: fleet.clone(),
        name,
    }
}

fn name(number: usize) -> String {
    format!("node-{number}")
}

/// The usual directory has the plain name.
fn server_name(data_dir: &Path) -> String {
    if data_dir == Path::new(DATA_DIR) {
        return "slipway".into();
    }
    let path = std::fs::canonicalize(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    let hash = path
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(FNV_OFFSET, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(FNV_PRIME));
    format!("slipway-{:04x}", (hash >> 16) ^ (hash & 0xffff))
}

#[cfg(test)]
mod tests {
    use super::super::fleet::several;
    use super::*;
    use crate::config::Flags;
    use expect_test::{Expect, expect};

    fn check(nodes: &str, data_dir: &str, expected: Expect) {
        let flags = Flags { data_dir: Some(data_dir.into()), ..Flags::default() };
        let config = Config { nodes: several(nodes).unwrap(), ..Config::load(&flags).unwrap() };
        let line = |place: Place| {
            let Place { name, home, zone, cgroup, table, link_prefix, part, .. } = place;
            format!("{name} {} {zone} {cgroup} {table} {link_prefix} {part:?}\n", home.display())
        };
        expected.assert_eq(&places(&config).unwrap().into_iter().map(line).collect::<String>());
    }

    #[test]
    fn an_only_node_is_the_host() {
        check(
            "1",
            DATA_DIR,
            expect![[r#"
            node-1 /var/lib/slipway us-east-1a slipway slipway slw None
        "#]],
        );
    }

    #[test]
    fn nodes_share_nothing_but_the_beginnings_of_their_names() {
        check(
            "2",
            DATA_DIR,
            expect![[r#"
            node-1 /var/lib/slipway/nodes/node-1 us-east-1a slipway/node-1 slipway-node-1 slw1 Some(1)
            node-2 /var/lib/slipway/nodes/node-2 us-east-1b slipway/node-2 slipway-node-2 slw2 Some(2)
        "#]],
        );
        check(
            "2",
            "/nowhere",
            expect![[r#"
            node-1 /nowhere/nodes/node-1 us-east-1a slipway-0eb8/node-1 slipway-0eb8-node-1 sl0eb81 Some(1)
            node-2 /nowhere/nodes/node-2 us-east-1b slipway-0eb8/node-2 slipway-0eb8-node-2 sl0eb82 Some(2)
        "#]],
        );
    }

    #[test]
    fn no_link_of_one_node_looks_like_anothers() {
        let config = Config { nodes: several("60;1").unwrap(), ..Config::load(&Flags::default()).unwrap() };
        let mut prefixes: Vec<String> = places(&config).unwrap().into_iter().map(|place| place.link_prefix).collect();
        assert!(prefixes.iter().all(|prefix| prefix.len() == prefixes[0].len()));
        prefixes.sort();
        prefixes.dedup();
        assert_eq!(prefixes.len(), 61);
    }

    #[test]
    fn fleets_are_numbered_through() {
        let config = Config { nodes: several("2,group=web;1,group=batch").unwrap(), ..Config::load(&Flags::default()).unwrap() };
        let line = |place: Place| format!("{} {} {:?}", place.name, place.zone, place.fleet.auto_scaling_group);
        let lines: Vec<String> = places(&config).unwrap().into_iter().map(line).collect();
        let expected =
            [r#"node-1 us-east-1a Some("web")"#, r#"node-2 us-east-1b Some("web")"#, r#"node-3 us-east-1a Some("batch")"#];
        assert_eq!(lines, expected);
        let too_many = Config { nodes: several("61;1").unwrap(), ..config };
        assert_eq!(places(&too_many).unwrap_err().to_string(), "62 nodes are more than 61");
    }
}
