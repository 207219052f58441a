//! Who is to hear that a container wrote something. One inotify instance for all of a node, once one is needed: a host has
//! few of them.

use futures_util::StreamExt;
use inotify::{EventMask, EventStream, Inotify, WatchDescriptor, WatchMask};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

const EVENTS_BYTES: usize = 16 * 1024;

#[derive(Default)]
pub struct Watches {
    kernel: Mutex<Option<Kernel>>,
    directories: Arc<Mutex<Directories>>,
}

struct Kernel {
    watches: inotify::Watches,
    listening: JoinHandle<()>,
}

/// By watch.
type Directories = BTreeMap<i32, Directory>;

struct Directory {
    watch: WatchDescriptor,
    /// By the names of files.
    wanted: BTreeMap<OsString, Arc<Notify>>,
}

/// Somebody hears of a file until this is dropped.
pub struct Watch {
    watches: Arc<Watches>,
    id: i32,
    file: OsString,
    pub changed: Arc<Notify>,
}

impl Watches {
    /// What changes from now on is heard, even if nobody listens at that moment. The directory is made if it is missing.
    pub fn watch(self: &Arc<Watches>, path: &Path) -> io::Result<Watch> {
        let (Some(directory), Some(file)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        std::fs::create_dir_all(directory)?;
        let (changed, mut directories) = (Arc::new(Notify::new()), lock(&self.directories));
        let mask = WatchMask::MODIFY | WatchMask::CREATE | WatchMask::MOVED_TO;
        let watch = self.add(directory, mask)?;
        let id = watch.get_watch_descriptor_id();
        let known = directories.entry(id).or_insert_with(|| Directory { watch, wanted: BTreeMap::new() });
        known.wanted.insert(file.to_owned(), Arc::clone(&changed));
        Ok(Watch { watches: Arc::clone(self), id, file: file.to_owned(), changed })
    }

    fn add(&self, directory: &Path, mask: WatchMask) -> io::Result<WatchDescriptor> {
        let mut kernel = lock(&self.kernel);
        let kernel = match &mut *kernel {
            Some(kernel) => kernel,
            none => none.insert(Kernel::new(&self.directories)?),
        };
        kernel.watches.add(directory, mask)
    }
}

impl Kernel {
    fn new(directories: &Arc<Mutex<Directories>>) -> io::Result<Kernel> {
        let inotify = Inotify::init()?;
        let watches = inotify.watches();
        let events = inotify.into_event_stream(vec![0; EVENTS_BYTES])?;
        Ok(Kernel { watches, listening: tokio::spawn(listen(events, Arc::clone(directories))) })
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut directories = lock(&self.watches.directories);
        let Some(directory) = directories.get_mut(&self.id) else { return };
        directory.wanted.remove(&self.file);
        if directory.wanted.is_empty() {
            // A directory that is gone has taken its watch along.
            let _ = lock(&self.watches.kernel).as_mut().map(|kernel| kernel.watches.remove(directory.watch.clone()));
            directories.remove(&self.id);
        }
    }
}

async fn listen(mut events: EventStream<Vec<u8>>, directories: Arc<Mutex<Directories>>) {
    while let Some(event) = events.next().await {
        match event {
            Ok(event) if event.mask.contains(EventMask::Q_OVERFLOW) => tell_everybody(&directories),
            Ok(event) => tell(&directories, event.wd.get_watch_descriptor_id(), event.name.as_deref()),
            Err(error) => tracing::error!(%error, "changes of log files are not heard"),
        }
    }
}

fn tell(directories: &Mutex<Directories>, id: i32, file: Option<&OsStr>) {
    let directories = lock(directories);
    let wanted = directories.get(&id).zip(file).and_then(|(directory, file)| directory.wanted.get(file));
    wanted.into_iter().for_each(|changed| changed.notify_one());
}

/// The kernel lost some: whoever looks finds what there is.
fn tell_everybody(directories: &Mutex<Directories>) {
    lock(directories).values().flat_map(|directory| directory.wanted.values()).for_each(|changed| changed.notify_one());
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
