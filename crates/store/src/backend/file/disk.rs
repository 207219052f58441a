//! A disk in memory, for tests. It logs what is done to it, so that any instant of a run can be asked what a loss of power
//! would have left; and it can be full, or fail at a chosen operation.

use super::CACHE_BYTES;
use base::Rng;
use redb::{Database, StorageBackend};
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

#[derive(Clone, Debug)]
pub struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// What reads return: with everything that was written, synced or not.
    seen: Vec<u8>,
    log: Vec<Operation>,
    full: bool,
    /// Operations that fail, by their place in the log.
    failing: Range<usize>,
}

#[derive(Clone, Debug)]
pub enum Operation {
    Write {
        at: usize,
        data: Vec<u8>,
    },
    Length(usize),
    Sync,
    /// As Linux does it: what was pending may or may not be on the disk, and no later sync will care.
    FailedSync,
}

impl Disk {
    pub fn new(content: Vec<u8>) -> Disk {
        Disk(Arc::new(Mutex::new(State { seen: content, log: Vec::new(), full: false, failing: 0..0 })))
    }

    /// The store on this disk.
    pub fn store(&self) -> crate::Result<super::File> {
        let disk = self.clone();
        let open = move || Ok(Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(disk.clone())?);
        super::File::over("disk".into(), Box::new(open))
    }

    pub fn content(&self) -> Vec<u8> {
        self.state().seen.clone()
    }

    pub fn log(&self) -> Vec<Operation> {
        self.state().log.clone()
    }

    /// How many operations there were.
    pub fn instant(&self) -> usize {
        self.state().log.len()
    }

    pub fn set_full(&self, full: bool) {
        self.state().full = full;
    }

    pub fn fail(&self, operations: Range<usize>) {
        self.state().failing = operations;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics while it holds the disk")
    }
}

impl State {
    fn fails(&self) -> bool {
        self.failing.contains(&self.log.len())
    }

    fn apply(&mut self, operation: Operation) {
        settle(&mut self.seen, &operation, &mut || true);
        self.log.push(operation);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let from = offset as usize;
        let wanted = state.seen.get(from..from + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(wanted);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        let len = len as usize;
        if state.full && len > state.seen.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if state.fails() {
            let unchanged = state.seen.len();
            state.apply(Operation::Length(unchanged));
            return Err(broken());
        }
        state.apply(Operation::Length(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.fails() {
            state.apply(Operation::FailedSync);
            return Err(broken());
        }
        state.apply(Operation::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        if state.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let fails = state.fails();
        let kept = if fails { data.len() / 2 } else { data.len() };
        state.apply(Operation::Write { at: offset as usize, data: data[..kept].to_vec() });
        if fails { Err(broken()) } else { Ok(()) }
    }
}

fn broken() -> io::Error {
    io::Error::other("the disk is broken")
}

/// What becomes of the sectors that were not synced.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    Lost,
    Kept,
    /// Each by itself, in any order, as this seed draws.
    Torn(u64),
}

/// Asked for each sector: is it kept?
type Keeps<'a> = dyn FnMut() -> bool + 'a;

impl Fate {
    fn keeps(self) -> Box<Keeps<'static>> {
        match self {
            Fate::Lost => Box::new(|| false),
            Fate::Kept => Box::new(|| true),
            Fate::Torn(seed) => {
                let mut rng = Rng::from_seed(seed);
                Box::new(move || rng.chance(50))
            }
        }
    }
}

fn settle(content: &mut Vec<u8>, operation: &Operation, keeps: &mut Keeps) {
    match operation {
        Operation::Write { at, data } => write_sectors(content, *at, data, keeps),
        Operation::Length(length) if keeps() => content.resize(*length, 0),
        Operation::Length(_) | Operation::Sync | Operation::FailedSync => {}
    }
}

fn write_sectors(content: &mut Vec<u8>, mut at: usize, mut data: &[u8], keeps: &mut Keeps) {
    while !data.is_empty() {
        let (sector, rest) = data.split_at(data.len().min(SECTOR - at % SECTOR));
        let end = at + sector.len();
        if keeps() {
            content.resize(content.len().max(end), 0);
            content[at..end].copy_from_slice(sector);
        }
        (at, data) = (end, rest);
    }
}

/// The platter while a log is played: what is certain to be there, and what is not yet.
pub struct Platter<'a> {
    durable: Vec<u8>,
    pending: Vec<&'a Operation>,
    failed_syncs: Rng,
}

impl<'a> Platter<'a> {
    pub fn new(content: Vec<u8>, seed: u64) -> Platter<'a> {
        Platter { durable: content, pending: Vec::new(), failed_syncs: Rng::from_seed(seed) }
    }

    pub fn play(&mut self, operation: &'a Operation) {
        let fate = match operation {
            Operation::Sync => Fate::Kept,
            Operation::FailedSync => Fate::Torn(self.failed_syncs.next_u64()),
            Operation::Write { .. } | Operation::Length(_) => return self.pending.push(operation),
        };
        let mut keeps = fate.keeps();
        for operation in self.pending.drain(..) {
            settle(&mut self.durable, operation, &mut keeps);
        }
    }

    /// What is found after power is lost now.
    pub fn after_outage(&self, fate: Fate) -> Vec<u8> {
        let (mut content, mut keeps) = (self.durable.clone(), fate.keeps());
        for operation in &self.pending {
            settle(&mut content, operation, &mut keeps);
        }
        content
    }
}
