//! Whom to stop first. Who does the least good goes first; of equals, one where the most of them are: the zone with most
//! tasks, then the instance with most, so that what is left stays spread, unless the service's strategy wants it packed.
//! https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html

use super::emptying::Emptying;
use super::members::{Health, Member, Phase};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// What a task is good for, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Good {
    Unhealthy,
    Starting,
    Unknown,
    Healthy,
}

impl Good {
    pub fn of(member: &Member) -> Good {
        match (member.phase, member.health) {
            (_, Health::Unhealthy) => Good::Unhealthy,
            (Phase::Running, Health::Unknown(_)) => Good::Unknown,
            (Phase::Running, Health::Healthy(_)) => Good::Healthy,
            _ => Good::Starting,
        }
    }
}

/// Candidates in the order of stopping, chosen as far as anybody asks.
pub struct Stops<'m, 'a> {
    emptying: &'m Emptying<'a>,
    classes: BTreeMap<Good, Vec<&'m Member<'a>>>,
    /// How many tasks of the service there are, whatever they are good for.
    in_zone: BTreeMap<&'a str, usize>,
    on_instance: BTreeMap<&'a str, u64>,
    /// The class at hand: by zone, then by instance and how crowded that is.
    zones: BTreeMap<&'a str, Zone<'m, 'a>>,
}

#[derive(Default)]
struct Zone<'m, 'a> {
    instances: BTreeMap<&'a str, Vec<&'m Member<'a>>>,
    /// How much speaks for it to be next.
    ranked: BTreeSet<(u64, Reverse<&'a str>)>,
}

/// `all` are the tasks of the service among which the rest is to be spread.
pub fn stops<'m, 'a: 'm>(
    candidates: impl Iterator<Item = &'m Member<'a>>,
    all: impl Iterator<Item = &'m Member<'a>>,
    emptying: &'m Emptying<'a>,
) -> Stops<'m, 'a> {
    let (classes, zones) = (BTreeMap::new(), BTreeMap::new());
    let mut stops = Stops { emptying, classes, in_zone: BTreeMap::new(), on_instance: BTreeMap::new(), zones };
    for member in all {
        *stops.in_zone.entry(stops.zone(member)).or_default() += 1;
        *stops.on_instance.entry(member.instance).or_default() += 1;
    }
    for member in candidates {
        stops.classes.entry(Good::of(member)).or_default().push(member);
    }
    stops
}

impl<'m, 'a> Iterator for Stops<'m, 'a> {
    type Item = &'m Member<'a>;

    fn next(&mut self) -> Option<&'m Member<'a>> {
        while self.zones.is_empty() {
            let (_, class) = self.classes.pop_first()?;
            self.sort(class);
        }
        let crowded = self.zones.keys().rev().max_by_key(|zone| self.in_zone.get(*zone))?;
        let member = self.take(crowded)?;
        Some(member)
    }
}

impl<'m, 'a> Stops<'m, 'a> {
    fn sort(&mut self, class: Vec<&'m Member<'a>>) {
        for member in class {
            let zone = self.zone(member);
            self.zones.entry(zone).or_default().instances.entry(member.instance).or_default().push(member);
        }
        let ranks = self.emptying.left.as_ref().unwrap_or(&self.on_instance);
        for zone in self.zones.values_mut() {
            // The last one is taken first. Ids begin with the time; what is drawn is their end.
            zone.instances.values_mut().for_each(|members| members.sort_by(|one, other| backwards(other).cmp(backwards(one))));
            let ranked = |instance: &&'a str| (ranks.get(instance).copied().unwrap_or_default(), Reverse(*instance));
            zone.ranked = zone.instances.keys().map(ranked).collect();
        }
    }

    fn zone(&self, member: &Member<'a>) -> &'a str {
        if self.emptying.across_zones { member.zone } else { "" }
    }

    fn take(&mut self, zone_name: &'a str) -> Option<&'m Member<'a>> {
        let zone = self.zones.get_mut(zone_name)?;
        let (rank, Reverse(instance)) = zone.ranked.pop_last()?;
        let members = zone.instances.get_mut(instance)?;
        let member = members.pop()?;
        if members.is_empty() {
            zone.instances.remove(instance);
        } else {
            // Of what is left there is only more now.
            let less = u64::from(self.emptying.left.is_none());
            zone.ranked.insert((rank.saturating_sub(less), Reverse(instance)));
        }
        if zone.instances.is_empty() {
            self.zones.remove(zone_name);
        }
        self.in_zone.entry(zone_name).and_modify(|count| *count = count.saturating_sub(1));
        self.on_instance.entry(instance).and_modify(|count| *count = count.saturating_sub(1));
        Some(member)
    }
}

fn backwards<'a>(member: &Member<'a>) -> impl Iterator<Item = u8> + use<'a> {
    member.id.bytes().rev()
}
