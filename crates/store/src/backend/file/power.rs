//! Power fails, or the disk does, at every operation of a run: whatever was acknowledged is there afterwards, whole, and
//! what was not is there whole or not at all. The same checks must notice defects that are put in on purpose.

use super::File;
use super::disk::{Disk, Fate, Operation, Platter};
use super::group::{Meta, Mutation};
use crate::backend::conformance::{Fallible, Rows, Store, apply, random_group, rows, suite, suite_of_failures};
use crate::backend::{Backend, Epoch, Write};
use crate::{Error, Key, Revision};
use base::Rng;
use expect_test::{Expect, expect};
use redb::Database;

/// A run on one disk: what was attempted, and when.
struct Run {
    log: Vec<Operation>,
    /// The first stands for what was there before.
    attempts: Vec<Attempt>,
    epoch: Epoch,
    led: usize,
}

struct Attempt {
    began: usize,
    ended: usize,
    /// All rows, if this group is kept.
    rows: Rows,
    acknowledged: Option<Revision>,
}

/// The disk as a loss of power left it.
struct Outage {
    instant: usize,
    content: Vec<u8>,
}

/// What is found when the power is back.
struct Found {
    rows: Rows,
    revision: Revision,
}

fn blank() -> Vec<u8> {
    let disk = Disk::new(Vec::new());
    Meta::write_first(&Database::builder().create_with_backend(disk.clone()).unwrap()).unwrap();
    disk.content()
}

fn run(disk: &Disk, groups: &[Vec<Write>], mutation: Option<Mutation>) -> crate::Result<Run> {
    let mut file = disk.store()?;
    file.mutation = mutation;
    let mut kept = rows(&mut file);
    let acknowledged = Some(file.load()?.revision);
    let mut attempts = vec![Attempt { began: 0, ended: 0, rows: kept.clone(), acknowledged }];
    let epoch = lead(&mut file);
    let led = disk.instant();
    for group in groups {
        let (before, began) = (kept.clone(), disk.instant());
        apply(&mut kept, group);
        let acknowledged = file.commit(epoch, group).ok();
        attempts.push(Attempt { began, ended: disk.instant(), rows: kept.clone(), acknowledged });
        if acknowledged.is_none() {
            kept = before;
        }
    }
    drop(file);
    Ok(Run { log: disk.log(), attempts, epoch, led })
}

/// A disk that fails a few times may fail this as well.
fn lead(file: &mut File) -> Epoch {
    (0..5).find_map(|_| file.lead().ok()).expect("the disk works again")
}

fn groups(seed: u64, count: usize) -> Vec<Vec<Write>> {
    let mut rng = Rng::from_seed(seed);
    (0..count).map(|_| random_group(&mut rng)).collect()
}

impl Run {
    /// Loses power after every operation, with each of the fates; returns what each outage left.
    fn outages<'a>(&'a self, before: &[u8], fates: &'a [Fate]) -> impl Iterator<Item = Outage> + 'a {
        let mut platter = Platter::new(before.to_vec(), 0);
        (0..=self.log.len()).flat_map(move |instant| {
            instant.checked_sub(1).into_iter().for_each(|played| platter.play(&self.log[played]));
            let content = |fate: &Fate| platter.after_outage(fate.at(instant));
            let outages = fates.iter().map(|fate| Outage { instant, content: content(fate) });
            outages.collect::<Vec<_>>()
        })
    }

    /// How many of the outages were survived: all, or the first that was not is described.
    fn survives(&self, outages: impl Iterator<Item = Outage>) -> Result<usize, String> {
        let mut survived = 0;
        for Outage { instant, content } in outages {
            self.survives_one(instant, content).map_err(|defect| format!("power lost at {instant}: {defect}"))?;
            survived += 1;
        }
        Ok(survived)
    }

    fn survives_one(&self, instant: usize, content: Vec<u8>) -> Result<(), String> {
        let mut file = Disk::new(content).store().map_err(|error| error.to_string())?;
        let found = Found { revision: file.load().map_err(|error| error.to_string())?.revision, rows: rows(&mut file) };
        self.allows(instant, &found)?;
        self.goes_on(instant, file, &found)
    }

    /// Failed commits that had reached the disk: a revision of theirs and one of taking them back are missing.
    fn taken_back(&self) -> usize {
        let revisions: Vec<Revision> = self.attempts.iter().filter_map(|attempt| attempt.acknowledged).collect();
        revisions.windows(2).filter(|pair| pair[1] >= pair[0] + 3).count()
    }

    fn allows(&self, instant: usize, found: &Found) -> Result<(), String> {
        let ended = |attempt: &Attempt| attempt.acknowledged.is_some() && attempt.ended <= instant;
        let last = self.attempts.iter().rposition(ended).expect("the first attempt ended before everything");
        let revision = self.attempts[last].acknowledged.expect("just looked for");
        let mut uncertain = self.attempts[last + 1..].iter().filter(|attempt| attempt.began < instant);
        let is_last = found.rows == self.attempts[last].rows;
        if found.revision < revision {
            return Err(format!("revision {} although {revision} was acknowledged", found.revision));
        }
        if found.revision == revision && !is_last {
            return Err(format!("other rows at revision {revision} than were acknowledged"));
        }
        if !is_last && !uncertain.any(|attempt| found.rows == attempt.rows) {
            return Err(format!("neither the rows of revision {revision} nor those of a group begun after it"));
        }
        Ok(())
    }

    fn goes_on(&self, instant: usize, mut file: File, found: &Found) -> Result<(), String> {
        let epoch = file.lead().map_err(|error| error.to_string())?;
        let group = [Write { table: "ecs/task", key: Key::new("after"), value: Some(b"the outage".as_slice().into()) }];
        let revision = file.commit(epoch, &group).map_err(|error| error.to_string())?;
        let mut expected = found.rows.clone();
        apply(&mut expected, &group);
        match () {
            _ if instant >= self.led && epoch <= self.epoch => Err(format!("epoch {epoch} after {}", self.epoch)),
            _ if revision <= found.revision => Err(format!("revision {revision} after {}", found.revision)),
            _ if rows(&mut file) != expected => Err("a commit after the outage broke the rows".into()),
            _ => Ok(()),
        }
    }
}

impl Fate {
    /// Drawn anew for each instant.
    fn at(self, instant: usize) -> Fate {
        match self {
            Fate::Torn(seed) => Fate::Torn(seed << 32 | instant as u64),
            other => other,
        }
    }
}

fn fates(seed: u64) -> Vec<Fate> {
    vec![Fate::Lost, Fate::Kept, Fate::Torn(seed), Fate::Torn(seed + 1000)]
}

fn survives_outages(seed: u64, mutation: Option<Mutation>) -> Result<usize, String> {
    let before = blank();
    let run = run(&Disk::new(before.clone()), &groups(seed, 40), mutation).map_err(|error| error.to_string())?;
    run.survives(run.outages(&before, &fates(seed)))
}

/// More of them on request, e.g. `SEEDS=200`.
fn seeds() -> std::ops::Range<u64> {
    0..std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(2)
}

#[test]
fn power_may_fail_at_any_operation() {
    for seed in seeds() {
        let outages = survives_outages(seed, None).unwrap_or_else(|defect| panic!("seed {seed}: {defect}"));
        assert!(outages > 1_000, "seed {seed}: only {outages} outages");
    }
}

/// Power fails again while the store is opened after an outage, and while it is first written to again.
#[test]
fn power_may_fail_again_at_any_operation_of_the_recovery() {
    let before = blank();
    for seed in seeds() {
        let first = run(&Disk::new(before.clone()), &groups(seed, 4), None).unwrap();
        let mut survived = 0;
        for Outage { content, .. } in first.outages(&before, &[Fate::Torn(seed)]) {
            let second = run(&Disk::new(content.clone()), &groups(seed + 1, 1), None).unwrap();
            let again = second.survives(second.outages(&content, &[Fate::Torn(seed + 1)]));
            survived += again.unwrap_or_else(|defect| panic!("seed {seed}: {defect}"));
        }
        assert!(survived > 1_000, "only {survived} outages");
    }
}

/// Every operation fails in turn, once or three times in a row, while the process lives on; then power fails, too.
#[test]
fn the_disk_may_fail_at_any_operation() {
    let before = blank();
    let groups = groups(3, 5);
    let operations = run(&Disk::new(before.clone()), &groups, None).unwrap().log.len();
    let (mut failed, mut taken_back) = (0, 0);
    for (at, times) in (0..operations).flat_map(|at| [(at, 1), (at, 3)]) {
        let disk = Disk::new(before.clone());
        disk.fail(at..at + times);
        // Nothing to survive if not even opening succeeded.
        let Ok(run) = run(&disk, &groups, None) else { continue };
        let fates = &fates(at as u64)[2..3];
        let later = run.outages(&before, fates).filter(|outage| outage.instant >= at);
        run.survives(later).unwrap_or_else(|defect| panic!("{times} failures at {at}: {defect}"));
        failed += run.attempts.iter().filter(|attempt| attempt.acknowledged.is_none()).count();
        taken_back += run.taken_back();
    }
    assert!(failed > 50 && taken_back > 5, "only {failed} commits failed, {taken_back} were taken back");
}

/// The failed leader cannot open the file again before another process has led; it must not take back what that wrote.
#[test]
fn a_leader_that_was_replaced_while_its_disk_failed_changes_nothing() {
    let group = |value: &str| [Write { table: "ecs/task", key: Key::new("a"), value: Some(value.as_bytes().into()) }];
    let mut failed = 0;
    for at in 0..40 {
        let disk = Disk::new(blank());
        let mut old = disk.store().unwrap();
        let epoch = old.lead().unwrap();
        disk.fail(disk.instant() + at..usize::MAX);
        failed += u64::from(old.commit(epoch, &group("old")).is_err());
        disk.fail(0..0);
        let mut new = disk.store().unwrap();
        let its_epoch = new.lead().unwrap();
        new.commit(its_epoch, &group("new")).unwrap();
        drop(new);
        if old.database.is_none() {
            assert!(matches!(old.commit(epoch, &group("again")), Err(Error::NotLeader)), "{at}");
            let expected = Rows::from([(("ecs/task".into(), "a".into()), b"new".to_vec())]);
            assert_eq!(rows(&mut disk.store().unwrap()), expected, "{at}");
        }
    }
    assert!(failed > 5, "only {failed} commits failed");
}

fn check_noticed(survived: Result<usize, String>, expected: Expect) {
    let defect = survived.expect_err("the defect is noticed");
    expected.assert_eq(defect.split_once(": ").expect("when, and what").1);
}

#[test]
fn an_acknowledgement_before_the_disk_has_it_is_noticed() {
    check_noticed(survives_outages(0, Some(Mutation::NotDurable)), expect![["revision 0 although 40 was acknowledged"]]);
}

#[test]
fn a_group_in_two_transactions_is_noticed() {
    let survived = survives_outages(0, Some(Mutation::NotAtomic));
    check_noticed(survived, expect![["neither the rows of revision 0 nor those of a group begun after it"]]);
}

#[test]
fn a_disk_that_does_not_sync_is_noticed() {
    let before = blank();
    let mut run = run(&Disk::new(before.clone()), &groups(0, 40), None).unwrap();
    run.log.iter_mut().filter(|operation| matches!(operation, Operation::Sync)).for_each(|sync| *sync = Operation::FailedSync);
    let survived = run.survives(run.outages(&before, &fates(0)));
    check_noticed(survived, expect![["store disk: DB corrupted: Primary is corrupted despite 2-phase commit"]]);
}

#[test]
fn conforms() {
    suite(|| store_on(Disk::new(blank())));
}

#[test]
fn conforms_when_the_disk_is_full() {
    suite_of_failures(|| {
        let disk = Disk::new(blank());
        let (filled, emptied) = (disk.clone(), disk.clone());
        Fallible {
            store: store_on(disk),
            fail_next: Box::new(move || filled.set_full(true)),
            heal: Box::new(move || emptied.set_full(false)),
        }
    });
}

fn store_on(disk: Disk) -> Store {
    Box::new(move || Box::new(disk.store().unwrap()))
}
