//! What every backend must do, as one suite that each runs over itself. Says nothing about speed, nor about power loss,
//! which only a backend that owns its disk can be tested for.

use super::{Backend, Epoch, Write};
use crate::{Error, Key, Revision};
use base::Rng;
use std::collections::BTreeMap;

/// Opens one store again and again; what opened it before has been dropped by then.
pub type Store = Box<dyn Fn() -> Box<dyn Backend>>;

/// A store whose next commit can be made to fail, as on a full disk.
pub struct Fallible {
    pub store: Store,
    pub fail_next: Box<dyn Fn()>,
    /// Space is there again.
    pub heal: Box<dyn Fn()>,
}

pub type Rows = BTreeMap<(String, String), Vec<u8>>;
type Case = (&'static str, fn(&Store));

const CASES: &[Case] = &[
    ("a fresh store is empty", a_fresh_store_is_empty),
    ("a group is kept over a reopening", a_group_is_kept_over_a_reopening),
    ("the last write of a row wins in a group", the_last_write_of_a_row_wins_in_a_group),
    ("a deleted row is gone", a_deleted_row_is_gone),
    ("deleting what is not there is no error", deleting_what_is_not_there_is_no_error),
    ("tables with a common beginning stay apart", tables_with_a_common_beginning_stay_apart),
    ("revisions grow, also over a reopening", revisions_grow_also_over_a_reopening),
    ("an empty group has a revision too", an_empty_group_has_a_revision_too),
    ("an old leader is refused and changes nothing", an_old_leader_is_refused_and_changes_nothing),
    ("epochs grow, also over a reopening", epochs_grow_also_over_a_reopening),
    ("a value of a mebibyte comes back whole", a_value_of_a_mebibyte_comes_back_whole),
    ("many rows come back", many_rows_come_back),
    ("any history loads as its model", any_history_loads_as_its_model),
];

/// `fresh` makes an empty store.
pub fn suite(fresh: impl Fn() -> Store) {
    for (name, case) in CASES {
        // Shown only when the case fails.
        println!("{name}");
        case(&fresh());
    }
}

/// For stores whose commits can be made to fail.
pub fn suite_of_failures(fresh: impl Fn() -> Fallible) {
    a_failed_commit_keeps_nothing(&fresh());
    any_history_with_failures_loads_as_its_model(fresh);
}

fn a_fresh_store_is_empty(store: &Store) {
    assert_eq!(rows(store().as_mut()), Rows::new());
}

fn a_group_is_kept_over_a_reopening(store: &Store) {
    let revision = commit(store, &[put("a", "1"), put("b", "2")]);
    let mut again = store();
    assert_eq!(rows(again.as_mut()), model(&[("ecs/task", "a", "1"), ("ecs/task", "b", "2")]));
    assert_eq!(again.load().unwrap().revision, revision);
}

fn the_last_write_of_a_row_wins_in_a_group(store: &Store) {
    commit(store, &[put("a", "1"), delete("a"), put("a", "2"), put("b", "1"), delete("b")]);
    assert_eq!(rows(store().as_mut()), model(&[("ecs/task", "a", "2")]));
}

fn a_deleted_row_is_gone(store: &Store) {
    commit(store, &[put("a", "1"), put("b", "1")]);
    commit(store, &[delete("a")]);
    assert_eq!(rows(store().as_mut()), model(&[("ecs/task", "b", "1")]));
}

fn deleting_what_is_not_there_is_no_error(store: &Store) {
    commit(store, &[delete("a")]);
    assert_eq!(rows(store().as_mut()), Rows::new());
}

fn tables_with_a_common_beginning_stay_apart(store: &Store) {
    let in_set = Write { table: "ecs/task-set", ..put("a", "set") };
    commit(store, &[put("a", "task"), put("a/b", "nested"), put("-set/a", "odd"), in_set]);
    let expected =
        [("ecs/task", "a", "task"), ("ecs/task", "a/b", "nested"), ("ecs/task", "-set/a", "odd"), ("ecs/task-set", "a", "set")];
    assert_eq!(rows(store().as_mut()), model(&expected));
}

fn revisions_grow_also_over_a_reopening(store: &Store) {
    let mut seen = store().load().unwrap().revision;
    for round in 0..6 {
        let mut backend = store();
        assert_eq!(backend.load().unwrap().revision, seen, "round {round}");
        let epoch = backend.lead().unwrap();
        for value in ["1", "2"] {
            let revision = backend.commit(epoch, &[put("a", value)]).unwrap();
            assert!(revision > seen, "{revision} after {seen}");
            seen = revision;
        }
    }
}

fn an_empty_group_has_a_revision_too(store: &Store) {
    let first = commit(store, &[]);
    assert!(commit(store, &[]) > first);
}

fn an_old_leader_is_refused_and_changes_nothing(store: &Store) {
    let mut backend = store();
    let old = backend.lead().unwrap();
    let new = backend.lead().unwrap();
    let before = backend.commit(new, &[put("a", "new")]).unwrap();
    assert!(matches!(backend.commit(old, &[put("a", "old")]), Err(Error::NotLeader)));
    assert!(matches!(backend.commit(old, &[]), Err(Error::NotLeader)));
    let loaded = backend.load().unwrap();
    assert_eq!((rows(backend.as_mut()), loaded.revision), (model(&[("ecs/task", "a", "new")]), before));
    backend.commit(new, &[put("a", "newer")]).expect("the new leader goes on");
}

fn epochs_grow_also_over_a_reopening(store: &Store) {
    let epochs: Vec<Epoch> = (0..4).map(|_| store().lead().unwrap()).collect();
    assert!(epochs.is_sorted_by(|a, b| a < b), "{epochs:?}");
}

fn a_value_of_a_mebibyte_comes_back_whole(store: &Store) {
    let value: Vec<u8> = (0..1 << 20).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let write = Write { value: Some(value.as_slice().into()), ..put("large", "") };
    commit(store, &[write]);
    let mut backend = store();
    assert!(rows(backend.as_mut()) == [(("ecs/task".into(), "large".into()), value)].into());
    drop(backend);
    commit(store, &[put("large", "small")]);
    assert_eq!(rows(store().as_mut()), model(&[("ecs/task", "large", "small")]));
}

fn many_rows_come_back(store: &Store) {
    let keys: Vec<String> = (0..20_000).map(|n| format!("123456789012/eu-west-1/default/{n:08}")).collect();
    let mut backend = store();
    let epoch = backend.lead().unwrap();
    for group in keys.chunks(2_500) {
        let writes: Vec<Write> = group.iter().map(|key| put(key, key)).collect();
        backend.commit(epoch, &writes).unwrap();
    }
    drop(backend);
    let expected = keys.iter().map(|key| (("ecs/task".to_owned(), key.clone()), key.clone().into_bytes()));
    assert!(rows(store().as_mut()) == expected.collect::<Rows>());
}

fn any_history_loads_as_its_model(store: &Store) {
    // One store for all seeds: each history goes on from what the one before left.
    let mut expected = rows(store().as_mut());
    for seed in 0..8 {
        let mut rng = Rng::from_seed(seed);
        let mut backend = store();
        let mut epoch = backend.lead().unwrap();
        for step in 0..20 {
            match rng.below(10) {
                0 => {
                    drop(backend);
                    backend = store();
                    epoch = backend.lead().unwrap();
                }
                1 => epoch = backend.lead().unwrap(),
                _ => {
                    let group = random_group(&mut rng);
                    backend.commit(epoch, &group).unwrap();
                    apply(&mut expected, &group);
                }
            }
            assert_eq!(rows(backend.as_mut()), expected, "seed {seed}, step {step}");
        }
    }
}

fn a_failed_commit_keeps_nothing(fallible: &Fallible) {
    commit(&fallible.store, &[put("a", "1"), put("b", "1")]);
    let mut backend = (fallible.store)();
    let epoch = backend.lead().unwrap();
    let before = backend.load().unwrap().revision;
    (fallible.fail_next)();
    let failed = backend.commit(epoch, &[put("a", "2"), delete("b"), large("c")]).unwrap_err();
    assert_eq!(failed.to_string(), "commit failed: no space left on device");
    (fallible.heal)();
    let unchanged = model(&[("ecs/task", "a", "1"), ("ecs/task", "b", "1")]);
    assert_eq!(rows(backend.as_mut()), unchanged);
    assert!(backend.commit(epoch, &[put("d", "1")]).unwrap() > before, "the same leader goes on");
    drop(backend);
    let mut kept = unchanged;
    kept.extend(model(&[("ecs/task", "d", "1")]));
    assert_eq!(rows((fallible.store)().as_mut()), kept);
}

fn any_history_with_failures_loads_as_its_model(fresh: impl Fn() -> Fallible) {
    for seed in 0..8 {
        let mut rng = Rng::from_seed(seed);
        let fallible = fresh();
        let mut expected = Rows::new();
        let mut backend = (fallible.store)();
        let epoch = backend.lead().unwrap();
        let mut seen = 0;
        for step in 0..20 {
            let mut group = random_group(&mut rng);
            if rng.chance(30) {
                group.push(large("c"));
                (fallible.fail_next)();
                assert!(matches!(backend.commit(epoch, &group), Err(Error::Commit(_))), "seed {seed}, step {step}");
                (fallible.heal)();
            } else {
                let revision = backend.commit(epoch, &group).unwrap();
                assert!(revision > seen, "seed {seed}, step {step}: {revision} after {seen}");
                seen = revision;
                apply(&mut expected, &group);
            }
            assert_eq!(rows(backend.as_mut()), expected, "seed {seed}, step {step}");
        }
    }
}

fn put(key: &str, value: &str) -> Write {
    Write { table: "ecs/task", key: Key::new(key), value: Some(value.as_bytes().into()) }
}

/// More than fits what a store may have in reserve.
fn large(key: &str) -> Write {
    Write { value: Some(vec![b'x'; 8 << 20].into()), ..put(key, "") }
}

fn delete(key: &str) -> Write {
    Write { value: None, ..put(key, "") }
}

pub fn random_group(rng: &mut Rng) -> Vec<Write> {
    let count = rng.below(8);
    (0..count).map(|_| random_write(rng)).collect()
}

fn random_write(rng: &mut Rng) -> Write {
    let table = ["ecs/cluster", "ecs/task"][rng.below(2) as usize];
    let key = Key::new(format!("{}/{}", rng.below(3), rng.below(12)));
    // Mostly small, some of many pages.
    let most = [10, 100, 1_000, 20_000][rng.below(4) as usize];
    let length = rng.below(most) as usize;
    let value = (!rng.chance(25)).then(|| vec![b'a' + rng.below(26) as u8; length].into());
    Write { table, key, value }
}

fn model(rows: &[(&str, &str, &str)]) -> Rows {
    rows.iter().map(|(table, key, value)| (((*table).to_owned(), (*key).to_owned()), value.as_bytes().to_vec())).collect()
}

pub fn apply(rows: &mut Rows, group: &[Write]) {
    for Write { table, key, value } in group {
        let at = ((*table).to_owned(), key.to_string());
        match value {
            Some(value) => rows.insert(at, value.to_vec()),
            None => rows.remove(&at),
        };
    }
}

pub fn rows(backend: &mut dyn Backend) -> Rows {
    let loaded = backend.load().unwrap().rows;
    let count = loaded.len();
    let rows: Rows = loaded.into_iter().map(|row| ((row.table, row.key), row.value)).collect();
    assert_eq!(rows.len(), count, "no row is loaded twice");
    rows
}

fn commit(store: &Store, writes: &[Write]) -> Revision {
    let mut backend = store();
    let epoch = backend.lead().unwrap();
    backend.commit(epoch, writes).unwrap()
}
