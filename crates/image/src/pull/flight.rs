//! Pulls under way, by what they pull and as whom. Who asks for one of them waits for it and hears its progress; when nobody
//! waits any more it stops.

use crate::error::Result;
use crate::progress::Progress;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

type Key = (String, Option<String>);
type Pulling = BoxFuture<'static, Result<workload::Image>>;
type Listeners = Arc<Mutex<Vec<Progress>>>;

#[derive(Default)]
pub struct Flights {
    under_way: Mutex<BTreeMap<Key, (WeakShared<Pulling>, Listeners)>>,
}

impl Flights {
    pub async fn join<F>(&self, key: Key, progress: Progress, start: impl FnOnce(Progress) -> F) -> Result<workload::Image>
    where
        F: Future<Output = Result<workload::Image>> + Send + 'static,
    {
        self.enter(key, progress, start).await
    }

    fn enter<F>(&self, key: Key, progress: Progress, start: impl FnOnce(Progress) -> F) -> Shared<Pulling>
    where
        F: Future<Output = Result<workload::Image>> + Send + 'static,
    {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.retain(|_, (pulling, _)| pulling.upgrade().is_some_and(|pulling| pulling.peek().is_none()));
        if let Some((pulling, listeners)) = under_way.get(&key)
            && let Some(pulling) = pulling.upgrade()
        {
            listeners.lock().unwrap_or_else(PoisonError::into_inner).push(progress);
            return pulling;
        }
        let listeners = Arc::new(Mutex::new(vec![progress]));
        let pulling = start(tell_all(listeners.clone())).boxed().shared();
        if let Some(weak) = pulling.downgrade() {
            under_way.insert(key, (weak, listeners));
        }
        pulling
    }
}

fn tell_all(listeners: Listeners) -> Progress {
    Progress::to(move |event| {
        // Told outside of the lock: a listener may well ask for another image.
        let listeners = listeners.lock().unwrap_or_else(PoisonError::into_inner).clone();
        listeners.iter().for_each(|listener| listener.tell(event));
    })
}
