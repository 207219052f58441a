//! A process that commits is killed, again and again: what it acknowledged is in the file, and the file opens.

use super::File;
use crate::backend::{Backend, Write};
use crate::{Key, Revision};
use base::Rng;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const PATH: &str = "STORE_OF_THE_CHILD";
/// Rows of one group; all hold the same number, or the group was torn.
const ROWS: usize = 12;

#[derive(Debug, PartialEq)]
struct Acknowledged {
    number: u64,
    revision: Revision,
}

#[test]
fn a_killed_process_loses_nothing_it_acknowledged() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("state.redb");
    let mut rng = Rng::from_seed(1);
    let mut last = Acknowledged { number: 0, revision: 0 };
    for round in 0..20 {
        let wanted = 1 + rng.below(12) as usize;
        let acknowledged = kill_after(wanted, rng.below(2_000_000), &path);
        assert!(acknowledged.len() >= wanted, "round {round}: the child ended early");
        last = acknowledged.into_iter().next_back().unwrap_or(last);
        last = found(&path, &last);
    }
}

/// Lets a child commit until it acknowledged `wanted` groups, and a little longer.
fn kill_after(wanted: usize, longer: u64, path: &Path) -> Vec<Acknowledged> {
    let mut child = spawn(path);
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let mut acknowledged: Vec<_> = lines.by_ref().filter_map(|line| parse(&line)).take(wanted).collect();
    (0..longer).for_each(|turn| _ = std::hint::black_box(turn));
    child.kill().unwrap();
    child.wait().unwrap();
    // What it still said before it died counts as well.
    acknowledged.extend(lines.filter_map(|line| parse(&line)));
    acknowledged
}

fn spawn(path: &Path) -> Child {
    let child = concat!(module_path!(), "::the_child").split_once("::").expect("a crate and a path").1;
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", child, "--ignored", "--nocapture"]).env(PATH, path);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

fn parse(line: &str) -> Option<Acknowledged> {
    let (number, revision) = line.strip_prefix("acknowledged ")?.split_once(' ')?;
    Some(Acknowledged { number: number.parse().ok()?, revision: revision.parse().ok()? })
}

/// What the file holds: the last that was acknowledged, or the one group that was under way.
fn found(path: &Path, last: &Acknowledged) -> Acknowledged {
    let loaded = File::open(path).unwrap().load().unwrap();
    let numbers: Vec<&[u8]> = loaded.rows.iter().map(|row| row.value.as_slice()).collect();
    assert_eq!(numbers.len(), ROWS);
    assert!(numbers.iter().all(|number| *number == numbers[0]), "a torn group");
    let number = number(numbers[0]);
    let found = Acknowledged { number, revision: loaded.revision };
    let next = Acknowledged { number: last.number + 1, revision: last.revision + 1 };
    assert!(found == *last || found == next, "{found:?} after {last:?}");
    found
}

fn number(value: &[u8]) -> u64 {
    std::str::from_utf8(value).unwrap().trim_end().parse().unwrap()
}

/// What the child of the test above runs; it ends by being killed.
#[test]
#[ignore = "runs as a child only"]
fn the_child() {
    let Some(path) = std::env::var_os(PATH) else { return };
    let mut file = File::open(path).unwrap();
    let epoch = file.lead().unwrap();
    let first = file.load().unwrap().rows.first().map_or(0, |row| number(&row.value));
    for number in first + 1.. {
        // Some groups of one page, some of many.
        let value = format!("{number:<width$}", width = [8, 300, 5_000][number as usize % 3]);
        let write = |row| Write { table: "ecs/task", key: Key::new(format!("{row}")), value: Some(value.as_bytes().into()) };
        let revision = file.commit(epoch, &(0..ROWS).map(write).collect::<Vec<_>>()).unwrap();
        let mut out = std::io::stdout();
        writeln!(out, "acknowledged {number} {revision}").and_then(|()| out.flush()).unwrap();
    }
}
