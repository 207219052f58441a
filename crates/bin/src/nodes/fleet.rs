//! What one `--nodes` asks for: how many nodes this host is to be, in which zones, how much each of them has to give, and
//! of which Auto Scaling group they are. A server may have several such fleets.

use anyhow::{Context, bail};
use std::str::FromStr;

/// Of all fleets together: one letter or digit tells their links apart, see `place`.
pub const MOST: usize = 61;
/// Between fleets where there is one text for all.
pub const SEPARATOR: char = ';';
const USUAL_ZONES: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fleet {
    pub count: usize,
    /// As written: names, or letters to stand behind the region.
    zones: Vec<String>,
    pub cpu_units: Option<u32>,
    pub memory_mib: Option<u64>,
    pub auto_scaling_group: Option<String>,
}

impl Default for Fleet {
    fn default() -> Fleet {
        Fleet { count: 1, zones: vec![], cpu_units: None, memory_mib: None, auto_scaling_group: None }
    }
}

impl Fleet {
    /// In turn: the first node in the first zone, and again from the beginning behind the last.
    pub fn zone(&self, index: usize, region: &str) -> String {
        let zone = match self.zones.len() {
            0 => USUAL_ZONES[index % USUAL_ZONES.len()],
            count => self.zones[index % count].as_str(),
        };
        if zone.len() == 1 { format!("{region}{zone}") } else { zone.to_owned() }
    }
}

/// `2,group=web;1,group=batch`.
pub fn several(text: &str) -> anyhow::Result<Vec<Fleet>> {
    text.split(SEPARATOR).map(str::parse).collect()
}

/// `3`, or `3,zones=a+b+c,cpu=1024,memory=2048,group=web`.
impl FromStr for Fleet {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Fleet> {
        let mut parts = text.split(',');
        let count = parts.next().unwrap_or_default();
        let count = count.parse().ok().filter(|count| (1..=MOST).contains(count));
        let mut fleet =
            Fleet { count: count.with_context(|| format!("not a number of nodes from 1 to {MOST}"))?, ..Fleet::default() };
        for part in parts {
            match part.split_once('=') {
                Some(("zones", zones)) if zones.split('+').all(|zone| !zone.is_empty()) => {
                    fleet.zones = zones.split('+').map(str::to_owned).collect();
                }
                Some(("cpu", units)) => fleet.cpu_units = Some(number(units).context("cpu")?),
                Some(("memory", mib)) => fleet.memory_mib = Some(number(mib).context("memory")?),
                Some(("group", name)) if !name.is_empty() => fleet.auto_scaling_group = Some(name.to_owned()),
                _ => bail!("{part:?} is none of zones=A+B, cpu=UNITS, memory=MIB and group=NAME"),
            }
        }
        Ok(fleet)
    }
}

fn number<T: TryFrom<u32>>(text: &str) -> anyhow::Result<T> {
    let number = text.parse::<u32>().ok().filter(|number| *number > 0);
    number.and_then(|number| T::try_from(number).ok()).context("not a number above zero")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        let told = match several(text) {
            Ok(fleets) => fleets.iter().map(line).collect::<Vec<_>>().join("; "),
            Err(error) => format!("{error:#}"),
        };
        expected.assert_eq(&told);
    }

    fn line(fleet: &Fleet) -> String {
        let zones: Vec<String> = (0..fleet.count).map(|index| fleet.zone(index, "eu-west-1")).collect();
        let group = fleet.auto_scaling_group.iter().map(|group| format!(" of {group}"));
        format!("{} cpu {:?} memory {:?}{}", zones.join(" "), fleet.cpu_units, fleet.memory_mib, group.collect::<String>())
    }

    #[test]
    fn nodes_take_their_zones_in_turn() {
        check("1", expect!["eu-west-1a cpu None memory None"]);
        check("4", expect!["eu-west-1a eu-west-1b eu-west-1c eu-west-1a cpu None memory None"]);
        check("3,zones=a+b", expect!["eu-west-1a eu-west-1b eu-west-1a cpu None memory None"]);
        check("2,zones=us-east-1a+z,memory=512,cpu=2048", expect!["us-east-1a eu-west-1z cpu Some(2048) memory Some(512)"]);
    }

    #[test]
    fn each_fleet_has_its_own_group_and_begins_with_its_own_first_zone() {
        check(
            "2,group=web;1,group=batch,cpu=512;1",
            expect![
                "eu-west-1a eu-west-1b cpu None memory None of web; eu-west-1a cpu Some(512) memory None of batch; eu-west-1a cpu None memory None"
            ],
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        check("", expect!["not a number of nodes from 1 to 61"]);
        check("0", expect!["not a number of nodes from 1 to 61"]);
        check("62", expect!["not a number of nodes from 1 to 61"]);
        check("3,zones=a++b", expect![[r#""zones=a++b" is none of zones=A+B, cpu=UNITS, memory=MIB and group=NAME"#]]);
        check("3,disk=7", expect![[r#""disk=7" is none of zones=A+B, cpu=UNITS, memory=MIB and group=NAME"#]]);
        check("3,group=", expect![[r#""group=" is none of zones=A+B, cpu=UNITS, memory=MIB and group=NAME"#]]);
        check("3;", expect!["not a number of nodes from 1 to 61"]);
        check("3,cpu=0", expect!["cpu: not a number above zero"]);
        check("3,memory=1G", expect!["memory: not a number above zero"]);
    }
}
