//! Rows in memory: for tests and the simulator. A clone shares the rows, so a "crashed" plane is opened again over them;
//! `fail_next` makes a commit fail without keeping anything, as a full disk does.

use super::{Backend, Epoch, Loaded, Row, Write};
use crate::{Error, Result, Revision};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Clone, Default)]
pub struct Mem(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    epoch: Epoch,
    revision: Revision,
    rows: BTreeMap<(String, String), Vec<u8>>,
    fail_next: bool,
}

impl Mem {
    pub fn new() -> Mem {
        Mem::default()
    }

    pub fn fail_next(&self) {
        self.state().fail_next = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for Mem {
    fn lead(&mut self) -> Result<Epoch> {
        let mut state = self.state();
        state.epoch += 1;
        Ok(state.epoch)
    }

    fn load(&mut self) -> Result<Loaded> {
        let state = self.state();
        let row = |((table, key), value): (&(String, String), &Vec<u8>)| Row {
            table: table.clone(),
            key: key.clone(),
            value: value.clone(),
        };
        Ok(Loaded { revision: state.revision, rows: state.rows.iter().map(row).collect() })
    }

    fn commit(&mut self, epoch: Epoch, writes: &[Write]) -> Result<Revision> {
        let mut state = self.state();
        if epoch != state.epoch {
            return Err(Error::NotLeader);
        }
        if std::mem::take(&mut state.fail_next) {
            return Err(Error::Commit("no space left on device".into()));
        }
        for write in writes {
            let key = (write.table.to_owned(), write.key.to_string());
            match &write.value {
                Some(value) => state.rows.insert(key, value.to_vec()),
                None => state.rows.remove(&key),
            };
        }
        state.revision += 1;
        Ok(state.revision)
    }
}

#[cfg(test)]
mod tests {
    use super::Mem;
    use crate::backend::conformance::{Fallible, Store, suite, suite_of_failures};

    fn store(mem: Mem) -> Store {
        Box::new(move || Box::new(mem.clone()))
    }

    #[test]
    fn conforms() {
        suite(|| store(Mem::new()));
    }

    #[test]
    fn conforms_when_commits_fail() {
        suite_of_failures(|| {
            let mem = Mem::new();
            let failing = mem.clone();
            Fallible { store: store(mem), fail_next: Box::new(move || failing.fail_next()), heal: Box::new(|| {}) }
        });
    }
}
