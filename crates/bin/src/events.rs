//! Where log events are kept, and how the room they take is given back: of streams that are gone, at once; of events that
//! are older than their group keeps them, within the hour. They are not seen any more from the moment they are too old.

use base::Time;
use kernel::Plane;
use logs::group::{self, LogGroup};
use logs::stream::LogStream;
use logstore::{EventStore, Events};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::time::Duration;
use store::{Change, Image, Record};
use tokio::sync::broadcast::error::RecvError;

const BETWEEN_LOOKS: Duration = Duration::from_secs(60 * 60);

pub fn open(data_dir: &Path) -> io::Result<Events> {
    Ok(Events::new(EventStore::open(&data_dir.join("cloudwatch").join("logs"))?))
}

/// Never ends.
pub async fn keep_tidy(plane: Plane, events: Events) {
    let mut feed = plane.feed();
    loop {
        if let Err(error) = tidy(&plane, &events).await {
            tracing::error!(%error, "the room of old log events is not given back");
        }
        let looks_again = tokio::time::sleep(BETWEEN_LOOKS);
        tokio::pin!(looks_again);
        loop {
            tokio::select! {
                () = &mut looks_again => break,
                changes = feed.recv() => match changes {
                    Ok(changes) if !changes.iter().any(|change| is_end(change, &plane.image())) => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return,
                },
            }
        }
    }
}

/// A stream is gone, or a group keeps its events for another time.
fn is_end(change: &Change, image: &Image) -> bool {
    match change.table {
        LogStream::TABLE => image.get::<LogStream>(change.key.as_str()).is_none(),
        LogGroup::TABLE => true,
        _ => false,
    }
}

async fn tidy(plane: &Plane, events: &Events) -> io::Result<()> {
    // Before the image: a stream has its row first, so one without is gone, not new.
    let kept = events.run(EventStore::streams).await?;
    let oldest = oldest_kept(&plane.image(), plane.clock().now());
    events.run(move |store| give_back(store, kept, &oldest)).await
}

/// By the ids of streams.
fn oldest_kept(image: &Image, now: Time) -> BTreeMap<String, i64> {
    let oldest = |stream: &LogStream| {
        let group = image.get::<LogGroup>(group::key(&stream.scope, &stream.group).as_str());
        let oldest = group.map_or(Time::ZERO, |group| group.oldest_kept(now));
        (stream.id.clone(), oldest.millis() as i64)
    };
    image.scan::<LogStream>().map(oldest).collect()
}

fn give_back(store: &EventStore, kept: BTreeSet<String>, oldest: &BTreeMap<String, i64>) -> io::Result<()> {
    for stream in kept {
        match oldest.get(&stream) {
            None => store.delete(&stream)?,
            Some(0) => {}
            Some(oldest) => store.expire(&stream, *oldest)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use logstore::Batch;

    #[test]
    fn streams_without_a_row_are_deleted_and_the_others_kept() {
        let directory = tempfile::tempdir().unwrap();
        let store = EventStore::open(directory.path()).unwrap();
        for stream in ["a", "b", "gone"] {
            let mut batch = Batch::new(0, &[]);
            batch.push(5, "x");
            store.append(stream, batch).unwrap();
        }
        let oldest = BTreeMap::from([("a".to_owned(), 0), ("b".to_owned(), 10)]);
        give_back(&store, store.streams().unwrap(), &oldest).unwrap();
        assert_eq!(store.streams().unwrap(), BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    }
}
