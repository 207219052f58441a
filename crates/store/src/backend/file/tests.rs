use super::File;
use super::disk::Disk;
use crate::backend::conformance::suite;
use crate::backend::{Backend, Row, Write};
use crate::{Error, Key};
use base::Rng;
use expect_test::{Expect, expect};
use redb::{Database, ReadableDatabase, TableDefinition};
use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("state.redb");
    (directory, path)
}

fn write(key: &str, value: &str) -> Write {
    Write { table: "ecs/task", key: Key::new(key), value: Some(value.as_bytes().into()) }
}

/// The error of opening, with the directory left out.
fn refused(path: &Path) -> String {
    match File::open(path) {
        Ok(_) => "opened".into(),
        Err(error) => error.to_string().replace(&path.parent().unwrap().display().to_string(), "DIR"),
    }
}

fn check_foreign(content: &[u8], expected: Expect) {
    let (_directory, path) = place();
    fs::write(&path, content).unwrap();
    expected.assert_eq(&refused(&path));
    assert_eq!(fs::read(&path).unwrap(), content, "what is not ours stays as it was");
}

#[test]
fn a_file_that_is_not_a_store_is_refused_and_kept() {
    check_foreign(
        b"",
        expect![
            "store DIR/state.redb: not a Slipway store: Database file is empty and creating a new database was not requested"
        ],
    );
    check_foreign(b"{}", expect!["store DIR/state.redb: not a Slipway store: Not a redb database: magic number mismatch"]);
    check_foreign(
        &[0; 1 << 16],
        expect!["store DIR/state.redb: not a Slipway store: Not a redb database: magic number mismatch"],
    );
}

#[test]
fn a_second_opening_is_refused() {
    let (_directory, path) = place();
    let _first = File::open(&path).unwrap();
    expect!["store DIR/state.redb: another process has it open"].assert_eq(&refused(&path));
}

#[test]
fn a_directory_that_is_missing_is_named() {
    let (_directory, path) = place();
    let path = path.parent().unwrap().join("none/state.redb");
    expect!["store DIR/state.redb: No such file or directory (os error 2)"].assert_eq(&refused(&path));
}

#[test]
fn the_draft_of_an_interrupted_creation_is_replaced() {
    let (directory, path) = place();
    fs::write(directory.path().join("state.redb.new"), b"half").unwrap();
    File::open(&path).unwrap();
    let names: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["state.redb"]);
}

#[test]
fn what_was_committed_is_there_when_the_file_is_opened_again() {
    let (_directory, path) = place();
    let mut file = File::open(&path).unwrap();
    let epoch = file.lead().unwrap();
    let revision = file.commit(epoch, &[write("1/a/b", "x"), write("2", "y")]).unwrap();
    drop(file);
    let loaded = File::open(&path).unwrap().load().unwrap();
    let rows: Vec<_> = loaded.rows.iter().map(|row| (row.table.as_str(), row.key.as_str(), row.value.as_slice())).collect();
    assert_eq!(loaded.revision, revision);
    assert_eq!(rows, [("ecs/task", "1/a/b", b"x".as_slice()), ("ecs/task", "2", b"y")]);
}

#[test]
fn an_old_epoch_is_refused() {
    let (_directory, path) = place();
    let mut file = File::open(&path).unwrap();
    let old = file.lead().unwrap();
    file.lead().unwrap();
    assert!(matches!(file.commit(old, &[write("1", "x")]), Err(Error::NotLeader)));
}

#[test]
fn conforms() {
    let directory = TempDir::new().unwrap();
    let count = Cell::new(0);
    suite(|| {
        count.set(count.get() + 1);
        let path = directory.path().join(count.get().to_string());
        Box::new(move || Box::new(File::open(&path).unwrap()))
    });
}

/// A store of a few pages, closed.
fn content() -> (Vec<u8>, Vec<Row>) {
    let (_directory, path) = place();
    let mut file = File::open(&path).unwrap();
    let epoch = file.lead().unwrap();
    for n in 0..40 {
        file.commit(epoch, &[write(&format!("{n}"), &"x".repeat(300))]).unwrap();
    }
    let rows = file.load().unwrap().rows;
    drop(file);
    (fs::read(path).unwrap(), rows)
}

#[test]
fn a_damaged_file_is_an_error_never_a_panic_nor_other_rows() {
    let (content, intact) = content();
    let mut noticed = 0;
    for seed in 0..400 {
        let mut rng = Rng::from_seed(seed);
        match use_fully(&Disk::new(damage(content.clone(), &mut rng))) {
            Ok(rows) => assert!(rows == intact, "seed {seed}: other rows than were written"),
            Err(_) => noticed += 1,
        }
    }
    // The rest hit pages that are free.
    assert!(noticed > 80, "only {noticed} noticed");
}

/// Returns what was loaded.
fn use_fully(disk: &Disk) -> crate::Result<Vec<Row>> {
    let mut file = disk.store()?;
    let rows = file.load()?.rows;
    let epoch = file.lead()?;
    for n in 0..3 {
        file.commit(epoch, &[write(&format!("{n}"), "y")])?;
    }
    Ok(rows)
}

fn damage(mut content: Vec<u8>, rng: &mut Rng) -> Vec<u8> {
    let used = content.iter().rposition(|byte| *byte != 0).unwrap_or(0) as u64;
    let at = rng.below(used) as usize;
    match rng.below(4) {
        0 => content.truncate(at),
        1 => content[at] ^= 1 << rng.below(8),
        // The header is small, and the most delicate.
        2 => content[rng.below(320) as usize] = rng.below(256) as u8,
        _ => content.iter_mut().skip(at).take(512).for_each(|byte| *byte = rng.below(256) as u8),
    }
    content
}

/// A database of somebody else's keeps its tables.
#[test]
fn a_foreign_database_is_refused() {
    const THEIRS: TableDefinition<u64, u64> = TableDefinition::new("meta");
    let (_directory, path) = place();
    let theirs = Database::create(&path).unwrap();
    let transaction = theirs.begin_write().unwrap();
    transaction.open_table(THEIRS).unwrap().insert(1, 2).unwrap();
    transaction.commit().unwrap();
    drop(theirs);
    expect!["store DIR/state.redb: not a Slipway store: meta is of type Table<u64, u64>"].assert_eq(&refused(&path));
    let read = Database::open(&path).unwrap().begin_read().unwrap();
    assert_eq!(read.open_table(THEIRS).unwrap().get(1).unwrap().unwrap().value(), 2);
}
