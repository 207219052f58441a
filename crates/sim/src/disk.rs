//! The plane's disk, which survives it. A plane that comes back has nothing but what is read from the stored bytes of rows;
//! bytes that have not changed since they were read last are not read once more, as that could give no other rows.

use crate::mutation::Mutation;
use kernel::Services;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::backend::Row;
use store::backend::mem::Mem;
use store::{Backend, Change, Epoch, Image, Loaded, Tx, Write};

#[derive(Clone)]
pub struct Disk {
    rows: Mem,
    services: Arc<Services>,
    state: Arc<Mutex<State>>,
    mutation: Option<Mutation>,
}

#[derive(Default)]
struct State {
    is_full: bool,
    dies: Option<Dies>,
    /// `CommitLost`: acknowledged, and gone with the next crash.
    unwritten: Vec<Write>,
    /// All rows as they were read last, and the stored form of those written or deleted since.
    read: Image,
    news: BTreeMap<Change, Option<Arc<[u8]>>>,
    revision: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dies {
    BeforeDurable,
    AfterDurable,
    /// It has.
    Now,
}

impl Disk {
    pub fn new(services: Arc<Services>, mutation: Option<Mutation>) -> Disk {
        Disk { rows: Mem::new(), services, state: Arc::default(), mutation }
    }

    pub fn fill(&self, is_full: bool) {
        self.state().is_full = is_full;
    }

    pub fn dies(&self, point: Option<Dies>) {
        self.state().dies = point;
    }

    pub fn has_died(&self) -> bool {
        self.state().dies == Some(Dies::Now)
    }

    /// What a plane begins with.
    pub fn read(&mut self) -> store::Result<(Epoch, Image)> {
        let epoch = self.lead()?;
        let mut state = self.state();
        let news = std::mem::take(&mut state.news);
        let rows = news.iter().filter_map(|(change, value)| Some(row(change, value.as_deref()?))).collect();
        let read = self.services.tables().image(state.revision, rows)?;
        let mut tx = Tx::new(state.read.clone());
        news.keys().for_each(|change| self.services.take(&mut tx, &read, change));
        state.read = Image::clone(&tx).published(state.revision);
        Ok((epoch, state.read.clone()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, state: &mut State, epoch: Epoch, writes: &[Write]) -> store::Result<u64> {
        state.revision = self.rows.clone().commit(epoch, writes)?;
        let news = writes.iter().map(|write| (Change { table: write.table, key: write.key.clone() }, write.value.clone()));
        state.news.extend(news);
        Ok(state.revision)
    }
}

fn row(change: &Change, value: &[u8]) -> Row {
    Row { table: change.table.to_owned(), key: change.key.to_string(), value: value.to_vec() }
}

impl Backend for Disk {
    fn lead(&mut self) -> store::Result<Epoch> {
        self.state().unwritten.clear();
        self.rows.lead()
    }

    fn load(&mut self) -> store::Result<Loaded> {
        self.rows.load()
    }

    fn commit(&mut self, epoch: Epoch, writes: &[Write]) -> store::Result<u64> {
        let mut state = self.state();
        if state.is_full {
            return Err(store::Error::Commit("no space left on device".into()));
        }
        match state.dies {
            Some(Dies::BeforeDurable) => {
                state.dies = Some(Dies::Now);
                if self.mutation == Some(Mutation::CommitTorn) {
                    self.write(&mut state, epoch, &writes[..writes.len() / 2])?;
                }
                return Err(store::Error::Commit("killed".into()));
            }
            Some(_) => state.dies = Some(Dies::Now),
            None => {}
        }
        if self.mutation == Some(Mutation::CommitLost) {
            let previous = std::mem::replace(&mut state.unwritten, writes.to_vec());
            return self.write(&mut state, epoch, &previous);
        }
        self.write(&mut state, epoch, writes)
    }
}

#[cfg(test)]
impl Disk {
    /// Of everything, as one who has read nothing before reads it, and as it was read piece by piece: how it is stored.
    pub fn read_both_ways(&mut self) -> [BTreeMap<(String, String), Vec<u8>>; 2] {
        let (_, pieces) = self.read().expect("it can be read");
        let Loaded { revision, rows } = self.load().expect("it can be read");
        let whole = self.services.tables().image(revision, rows).expect("it can be read");
        [whole, pieces].map(|image| {
            let mut all = Tx::new(image.clone());
            all.clear();
            let mut tx = Tx::new(Image::default());
            all.into_parts().1.iter().for_each(|row| self.services.take(&mut tx, &image, row));
            let stored = |write: Write| Some(((write.table.to_owned(), write.key.to_string()), write.value?.to_vec()));
            tx.into_parts().0.into_iter().filter_map(stored).collect()
        })
    }
}
