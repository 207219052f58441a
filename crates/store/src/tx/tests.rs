use super::*;
use crate::{Index, Key, Tables};
use base::Rng;
use expect_test::{Expect, expect};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `colour` and `size` are indexed, `size` only where there is one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Shirt {
    id: String,
    colour: String,
    size: Option<u64>,
}

impl Record for Shirt {
    const TABLE: &'static str = "test/shirt";

    fn key(&self) -> Key {
        Key::new(self.id.as_str())
    }

    fn indexes(&self, index: &mut Index) {
        index.add("colour", &self.colour);
        if let Some(size) = self.size {
            index.add("size", size);
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Hat(String);

impl Record for Hat {
    const TABLE: &'static str = "test/hat";

    fn key(&self) -> Key {
        Key::new(self.0.as_str())
    }
}

fn shirt(id: &str, colour: &str, size: u64) -> Shirt {
    Shirt { id: id.into(), colour: colour.into(), size: (size > 0).then_some(size) }
}

/// Plays a script and shows what it comes to. `put ID COLOUR SIZE`, `hat ID`, `del ID`, `recolour ID COLOUR`, `save`,
/// `back` to the last save, `since` it, `clear`, `by COLOUR`, `prefix ID`.
fn check(script: &str, expected: Expect) {
    let (mut tx, mut saves, mut shown) = (Tx::new(Image::default()), Vec::new(), String::new());
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split(' ').collect();
        let mut say = |line: &str, answer: &str| shown += &format!("{}\n", format!("{line}: {answer}").trim_end());
        match words[..] {
            ["put", id, colour, size] => tx.put(shirt(id, colour, size.parse().unwrap())),
            ["hat", id] => tx.put(Hat(id.into())),
            ["del", id] => say(line, &tx.delete::<Shirt>(id).to_string()),
            ["recolour", id, colour] => {
                let found = tx.update::<Shirt>(id, |shirt| shirt.colour = colour.into());
                say(line, &found.to_string());
            }
            ["save"] => saves.push(tx.savepoint()),
            ["back"] => tx.rollback(saves.pop().unwrap()),
            ["since"] => say(line, &names(&tx.changes_since(saves.last().unwrap()))),
            ["clear"] => tx.clear(),
            ["by", colour] => say(line, &ids(tx.by::<Shirt>("colour", colour))),
            ["prefix", id] => say(line, &ids(tx.prefix::<Shirt>(id))),
            _ => panic!("{line}"),
        }
    }
    let (writes, changes, _) = tx.into_parts();
    let value = |bytes: Arc<[u8]>| String::from_utf8(bytes.to_vec()).unwrap();
    for (write, change) in writes.into_iter().zip(changes) {
        assert_eq!((write.table, &write.key), (change.table, &change.key));
        shown += &format!("{}/{} {}\n", write.table, write.key, write.value.map_or("-".into(), value));
    }
    expected.assert_eq(&shown);
}

fn ids<'a>(shirts: impl Iterator<Item = &'a Shirt>) -> String {
    shirts.map(|shirt| shirt.id.as_str()).collect::<Vec<_>>().join(" ")
}

fn names(changes: &[Change]) -> String {
    changes.iter().map(|change| format!("{}/{}", change.table, change.key)).collect::<Vec<_>>().join(" ")
}

#[test]
fn nothing_done_is_nothing_written() {
    check("", expect![[""]]);
}

#[test]
fn a_row_is_written_once_as_it_ended() {
    check(
        "put b red 1\nput a red 2\nput b blue 0",
        expect![[r#"
        test/shirt/a {"v":1,"r":{"id":"a","colour":"red","size":2}}
        test/shirt/b {"v":1,"r":{"id":"b","colour":"blue","size":null}}
    "#]],
    );
}

#[test]
fn rows_of_all_tables_are_written_in_key_order() {
    check(
        "put z red 1\nhat z\nput a red 1\nhat a",
        expect![[r#"
        test/hat/a {"v":1,"r":"a"}
        test/hat/z {"v":1,"r":"z"}
        test/shirt/a {"v":1,"r":{"id":"a","colour":"red","size":1}}
        test/shirt/z {"v":1,"r":{"id":"z","colour":"red","size":1}}
    "#]],
    );
}

#[test]
fn a_row_that_came_and_went_is_deleted_to_be_sure() {
    check(
        "put a red 1\ndel a",
        expect![[r#"
        del a: true
        test/shirt/a -
    "#]],
    );
}

#[test]
fn what_is_not_there_is_neither_deleted_nor_updated() {
    check(
        "del a\nrecolour a red",
        expect![[r#"
        del a: false
        recolour a red: false
    "#]],
    );
}

#[test]
fn the_index_follows_the_row() {
    let script = "put a red 1\nput b red 1\nby red\nrecolour a blue\nby red\nby blue\ndel b\nby red\nby blue\nby green";
    check(
        script,
        expect![[r#"
        by red: a b
        recolour a blue: true
        by red: b
        by blue: a
        del b: true
        by red:
        by blue: a
        by green:
        test/shirt/a {"v":1,"r":{"id":"a","colour":"blue","size":1}}
        test/shirt/b -
    "#]],
    );
}

#[test]
fn an_entry_is_not_found_by_the_beginning_of_its_value() {
    check(
        "put a red 1\nput b reddish 1\nby red\nby reddish\nby re",
        expect![[r#"
        by red: a
        by reddish: b
        by re:
        test/shirt/a {"v":1,"r":{"id":"a","colour":"red","size":1}}
        test/shirt/b {"v":1,"r":{"id":"b","colour":"reddish","size":1}}
    "#]],
    );
}

#[test]
fn a_prefix_ends_where_the_keys_differ() {
    check(
        "put a/1 red 1\nput a/2 red 1\nput a red 1\nput b/1 red 1\nprefix a/\nprefix a\nprefix c",
        expect![[r#"
        prefix a/: a/1 a/2
        prefix a: a a/1 a/2
        prefix c:
        test/shirt/a {"v":1,"r":{"id":"a","colour":"red","size":1}}
        test/shirt/a/1 {"v":1,"r":{"id":"a/1","colour":"red","size":1}}
        test/shirt/a/2 {"v":1,"r":{"id":"a/2","colour":"red","size":1}}
        test/shirt/b/1 {"v":1,"r":{"id":"b/1","colour":"red","size":1}}
    "#]],
    );
}

#[test]
fn a_rollback_leaves_no_trace() {
    let script = "put a red 1\nsave\nput b red 1\nrecolour a blue\ndel a\nby red\nback\nby red\nby blue";
    check(
        script,
        expect![[r#"
        recolour a blue: true
        del a: true
        by red: b
        by red: a
        by blue:
        test/shirt/a {"v":1,"r":{"id":"a","colour":"red","size":1}}
    "#]],
    );
}

#[test]
fn rollbacks_nest() {
    check(
        "put a red 1\nsave\nput b red 1\nsave\nput c red 1\nback\nby red\nback\nby red",
        expect![[r#"
        by red: a b
        by red: a
        test/shirt/a {"v":1,"r":{"id":"a","colour":"red","size":1}}
    "#]],
    );
}

#[test]
fn changes_are_those_since_the_savepoint() {
    check(
        "put a red 1\nsave\nput c red 1\nput b red 1\nput c red 2\nhat x\nsince",
        expect![[r#"
        since: test/hat/x test/shirt/b test/shirt/c
        test/hat/x {"v":1,"r":"x"}
        test/shirt/a {"v":1,"r":{"id":"a","colour":"red","size":1}}
        test/shirt/b {"v":1,"r":{"id":"b","colour":"red","size":1}}
        test/shirt/c {"v":1,"r":{"id":"c","colour":"red","size":2}}
    "#]],
    );
}

#[test]
fn confirming_what_the_transaction_wrote_before_is_no_change() {
    check(
        "put a red 1\nput b red 1\nsave\nput a red 1\nput b blue 1\nput b red 1\nsince",
        expect![[r#"
        since:
        test/shirt/a {"v":1,"r":{"id":"a","colour":"red","size":1}}
        test/shirt/b {"v":1,"r":{"id":"b","colour":"red","size":1}}
    "#]],
    );
}

#[test]
fn clearing_deletes_every_row_of_every_table() {
    check(
        "put a red 1\nhat b\nsave\nclear\nby red\nput c red 1\nby red\nsince",
        expect![[r#"
        by red:
        by red: c
        since: test/hat/b test/shirt/a test/shirt/c
        test/hat/b -
        test/shirt/a -
        test/shirt/c {"v":1,"r":{"id":"c","colour":"red","size":1}}
    "#]],
    );
}

/// The model: rows in a map, indexes by looking at every row.
type Model = BTreeMap<String, Shirt>;

fn check_against(image: &Image, model: &Model, context: &str) {
    assert!(image.scan::<Shirt>().eq(model.values()), "{context}: rows");
    assert_eq!(image.len::<Shirt>(), model.len(), "{context}");
    for colour in COLOURS {
        let expected: Vec<&Shirt> = model.values().filter(|shirt| shirt.colour == colour).collect();
        assert!(image.by::<Shirt>("colour", colour).eq(expected.iter().copied()), "{context}: {colour}");
        assert_eq!(image.count_by::<Shirt>("colour", colour), expected.len(), "{context}: {colour}");
    }
    for size in 0..5 {
        let expected = model.values().filter(|shirt| shirt.size == Some(size));
        assert!(image.by::<Shirt>("size", size).eq(expected), "{context}: size {size}");
    }
    for prefix in ["", "1", "1/", "2/3", "9"] {
        let expected = model.values().filter(|shirt| shirt.id.starts_with(prefix));
        assert!(image.prefix::<Shirt>(prefix).eq(expected), "{context}: prefix {prefix:?}");
    }
}

const COLOURS: [&str; 3] = ["red", "reddish", "blue"];

fn step(tx: &mut Tx, model: &mut Model, rng: &mut Rng) {
    let id = format!("{}/{}", rng.below(3), rng.below(15));
    let colour = COLOURS[rng.below(3) as usize];
    match rng.below(10) {
        0..5 => {
            let shirt = shirt(&id, colour, rng.below(5));
            model.insert(id, shirt.clone());
            tx.put(shirt);
        }
        5..7 => {
            let expected = model.get_mut(&id).map(|shirt| shirt.colour = colour.into());
            assert_eq!(tx.update::<Shirt>(&id, |shirt| shirt.colour = colour.into()), expected.is_some());
        }
        _ => assert_eq!(tx.delete::<Shirt>(&id), model.remove(&id).is_some()),
    }
}

/// Groups of transactions, some rolled back; the stored form is replayed beside them.
#[test]
fn any_history_reads_as_its_model() {
    let mut tables = Tables::default();
    tables.add::<Shirt>();
    for seed in 0..60 {
        let mut rng = Rng::from_seed(seed);
        let (mut image, mut model) = (Image::default(), Model::new());
        let mut stored: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut published: Vec<(Image, Model)> = Vec::new();
        for group in 0..12 {
            let context = format!("seed {seed}, group {group}");
            let mut tx = Tx::new(image.clone());
            for _ in 0..rng.below(6) {
                let before = (tx.savepoint(), model.clone());
                (0..rng.below(8)).for_each(|_| step(&mut tx, &mut model, &mut rng));
                check_against(&tx, &model, &context);
                if rng.chance(30) {
                    tx.rollback(before.0);
                    model = before.1;
                    check_against(&tx, &model, &context);
                }
            }
            let (writes, _, next) = tx.into_parts();
            for write in writes {
                match write.value {
                    Some(value) => stored.insert(write.key.to_string(), value.to_vec()),
                    None => stored.remove(write.key.as_str()),
                };
            }
            image = next.published(group + 1);
            check_against(&loaded(&tables, &stored), &model, &context);
            published.push((image.clone(), model.clone()));
        }
        for (image, model) in &published {
            check_against(image, model, &format!("seed {seed}, revision {} afterwards", image.revision()));
        }
    }
}

fn loaded(tables: &Tables, stored: &BTreeMap<String, Vec<u8>>) -> Image {
    let row = |(key, value): (&String, &Vec<u8>)| crate::backend::Row {
        table: Shirt::TABLE.into(),
        key: key.clone(),
        value: value.clone(),
    };
    tables.image(1, stored.iter().map(row).collect()).unwrap()
}

#[test]
fn a_row_that_is_replaced_keeps_one_key() {
    let mut tx = Tx::new(Image::default());
    tx.put(shirt("a", "red", 1));
    let first = tx.touched[0].key.clone();
    tx.put(shirt("a", "blue", 1));
    assert!(std::ptr::eq(first.as_str(), tx.touched[1].key.as_str()), "the index and the rows share it");
}
