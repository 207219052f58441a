//! The events that DescribeServices tells: newest first, a hundred at most, nothing said is lost or said again at once, and
//! after calm the last word is that all is well.

use super::super::{Check, violated};
use super::fleet::Fleet;
use super::settled::is_settled;
use base::Time;
use ecs::service::{Event, Events, Service};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use store::{Change, Image, Key, Record};

const KEPT: usize = 100;
const SAID_AGAIN_AFTER: Duration = Duration::from_secs(6 * 3600);

#[derive(Default)]
pub struct Sayings {
    /// As they were published last, and when their service was made.
    said: BTreeMap<Key, (Time, Vec<Event>)>,
}

impl Sayings {
    /// What was said since is not all seen.
    pub fn begin_again(&mut self, image: &Image) -> Check {
        for row in image.scan::<Events>() {
            let (key, made_at) = (row.key(), image.get::<Service>(row.key().as_str()).map(|service| service.created_at));
            let before = made_at.and_then(|at| self.said.insert(key, (at, row.events.clone())));
            if let Some((_, before)) = before.filter(|(of, _)| Some(*of) == made_at) {
                what_was_said_stays(row, &before)?;
            }
        }
        Ok(())
    }

    pub fn group(&mut self, changes: &[Change], image: &Image) -> Check {
        for change in changes.iter().filter(|change| change.table == Events::TABLE) {
            let (Some(row), Some(service)) =
                (image.get::<Events>(change.key.as_str()), image.get::<Service>(change.key.as_str()))
            else {
                self.said.remove(&change.key);
                continue;
            };
            newest_first(row)?;
            let before = self.said.insert(change.key.clone(), (service.created_at, row.events.clone()));
            let before = before.filter(|(of, _)| *of == service.created_at).map(|(_, before)| before).unwrap_or_default();
            what_was_said_stays(row, &before)?;
            not_again_at_once(row, service, &before)?;
        }
        Ok(())
    }
}

fn newest_first(row: &Events) -> Check {
    let ids: BTreeSet<&str> = row.events.iter().map(|event| event.id.as_str()).collect();
    let is_sorted = row.events.windows(2).all(|two| two[0].at >= two[1].at);
    if is_sorted && ids.len() == row.events.len() && row.events.len() <= KEPT {
        return Ok(());
    }
    violated("a service's events are newest first, a hundred at most", format!("{}: {:?}", row.service, row.events))
}

/// Some are new, before the others; at the end some may be forgotten.
fn what_was_said_stays(row: &Events, before: &[Event]) -> Check {
    let new = row.events.iter().position(|event| before.first() == Some(event)).unwrap_or(row.events.len());
    let old = &row.events[new..];
    let is_kept = before.starts_with(old) && (old.len() == before.len() || row.events.len() == KEPT);
    if is_kept {
        Ok(())
    } else {
        violated("what a service said stays", format!("{}: {before:?}, then {:?}", row.service, row.events))
    }
}

/// Unless it is about other tasks, about another deployment by now, or about a steady state that was none in between.
fn not_again_at_once(row: &Events, service: &Service, before: &[Event]) -> Check {
    let is_again = |two: &&[Event]| {
        let is_deployed = service.deployments.first().is_some_and(|primary| primary.created_at >= two[1].at);
        let is_new = is_deployed || service.steady_since == Some(two[0].at);
        let is_count = two[0].message.ends_with(" pending tasks.");
        !is_count && two[0].message == two[1].message && two[0].at.since(two[1].at) < SAID_AGAIN_AFTER && !is_new
    };
    let mut new = row.events.windows(2).take_while(|two| before.first() != Some(&two[0]));
    match new.find(is_again) {
        Some(two) => violated("nothing is said twice in a row", format!("{}: {}", row.service, two[0].message)),
        None => Ok(()),
    }
}

pub fn converged(image: &Image, now: Time) -> Check {
    for service in image.scan::<Service>() {
        if Fleet::of(image, &service.key(), now).is_none_or(|fleet| !is_settled(&fleet)) {
            continue;
        }
        let row = image.get::<Events>(service.key().as_str());
        // How its tasks lie over the zones is nothing to be steady about.
        let told = row.and_then(|row| row.events.iter().find(|event| !event.message.contains("is not AZ balanced")));
        if told.is_none_or(|event| !event.message.ends_with("has reached a steady state.")) {
            return violated("after calm: the last word is the steady state", format!("{}: {told:?}", service.name));
        }
    }
    Ok(())
}
