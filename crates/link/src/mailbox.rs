//! A queue in which a new message takes the place of what it supersedes: a slow reader finds the newest of each kind, and a
//! writer, which may be any thread, never waits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

pub trait Supersedes {
    /// Whether nobody needs `waiting` any more once `self` is there.
    fn supersedes(&self, waiting: &Self) -> bool;
}

pub(crate) struct Mailbox<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Notify,
}

struct State<T> {
    waiting: VecDeque<T>,
    closed: bool,
}

impl<T> Clone for Mailbox<T> {
    fn clone(&self) -> Mailbox<T> {
        Mailbox { shared: Arc::clone(&self.shared) }
    }
}

impl<T: Supersedes> Mailbox<T> {
    pub(crate) fn new() -> Mailbox<T> {
        let state = Mutex::new(State { waiting: VecDeque::new(), closed: false });
        Mailbox { shared: Arc::new(Shared { state, changed: Notify::new() }) }
    }

    /// What is put into a closed mailbox is dropped: the other side will hear everything again when it comes back.
    pub(crate) fn put(&self, message: T) {
        let mut state = self.state();
        if state.closed {
            return;
        }
        state.waiting.retain(|waiting| !message.supersedes(waiting));
        state.waiting.push_back(message);
        drop(state);
        self.shared.changed.notify_one();
    }

    pub(crate) fn try_take(&self) -> Option<T> {
        self.state().waiting.pop_front()
    }

    /// `None` once it is closed and empty. One reader at a time.
    pub(crate) async fn take(&self) -> Option<T> {
        loop {
            let changed = self.shared.changed.notified();
            {
                let mut state = self.state();
                if let Some(message) = state.waiting.pop_front() {
                    return Some(message);
                }
                if state.closed {
                    return None;
                }
            }
            changed.await;
        }
    }

    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.shared.changed.notify_one();
    }

    /// The lock is held for a queue operation only, which cannot panic half-way.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
