//! What a pull tells while it goes on. Told from whatever thread is at work, so a listener must be quick.

use std::fmt;
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Asking the registry what the name stands for.
    Resolving,
    /// Of layer `layer` of `layers`, lowest first, `done` of `total` bytes are here.
    Downloading {
        layer: usize,
        layers: usize,
        done: u64,
        total: u64,
    },
    Unpacking {
        layer: usize,
        layers: usize,
    },
    /// The layer is there, now or already before.
    Present {
        layer: usize,
        layers: usize,
    },
    /// An attempt failed for a passing reason; there will be another.
    Retrying {
        reason: String,
    },
}

type Listener = dyn Fn(&Event) + Send + Sync;

#[derive(Clone, Default)]
pub struct Progress(Option<Arc<Listener>>);

impl Progress {
    /// Nobody listens.
    pub fn none() -> Progress {
        Progress(None)
    }

    pub fn to(listener: impl Fn(&Event) + Send + Sync + 'static) -> Progress {
        Progress(Some(Arc::new(listener)))
    }

    pub(crate) fn tell(&self, event: &Event) {
        if let Some(listener) = &self.0 {
            listener(event);
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}
