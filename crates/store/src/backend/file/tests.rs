use super::File;
use crate::backend::{Backend, Write};
use crate::{Error, Key};
use expect_test::{Expect, expect};
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

/// The error of opening, with the test's directory left out.
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
    expect!["store DIR/none/state.redb: No such file or directory (os error 2)"]
        .assert_eq(&refused(&path.parent().unwrap().join("none/state.redb")).replace("DIR/state", "DIR/none/state"));
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
