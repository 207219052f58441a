use super::*;
use base::Rng;

fn marked(events: &[(i64, &str)], mark: &[u8]) -> Batch {
    let mut batch = Batch::new(1, mark);
    events.iter().for_each(|(timestamp, message)| batch.push(*timestamp, message));
    batch
}

fn batch(events: &[(i64, &str)]) -> Batch {
    marked(events, &[])
}

fn all<'a>(streams: &'a [String]) -> Query<'a> {
    let (from, to) = (Key::at(i64::MIN), Key::at(i64::MAX));
    Query { streams, from, to, newest: false, limit: usize::MAX, bytes: usize::MAX, wanted: &|_| true }
}

fn messages(store: &EventStore, streams: &[String]) -> Vec<String> {
    store.read(&all(streams)).unwrap().events.into_iter().map(|event| event.message).collect()
}

#[test]
fn whatever_was_torn_off_acknowledged_batches_stay_and_more_can_be_added() {
    let directory = tempfile::tempdir().unwrap();
    let streams = ["s".to_owned()];
    let store = EventStore::open(directory.path()).unwrap();
    let file = directory.path().join("s/00000000000000000000.segment");
    let mut acknowledged = vec![0];
    for n in 0..4 {
        store.append("s", batch(&[(n, &format!("a{n}")), (n, &format!("b{n}"))])).unwrap();
        acknowledged.push(fs::read(&file).unwrap().len());
    }
    let whole = fs::read(&file).unwrap();
    for cut in 0..=whole.len() {
        let mut torn = whole[..cut].to_vec();
        // Blocks that were allotted but not written.
        torn.extend(vec![0; cut % 7]);
        store.delete("s").unwrap();
        fs::create_dir(directory.path().join("s")).unwrap();
        fs::write(&file, torn).unwrap();
        let batches = acknowledged.iter().filter(|end| **end <= cut).count() - 1;
        let mut expected: Vec<String> = (0..batches).flat_map(|n| [format!("a{n}"), format!("b{n}")]).collect();
        let store = EventStore::open(directory.path()).unwrap();
        assert_eq!(messages(&store, &streams), expected, "cut at {cut}");
        store.append("s", batch(&[(9, "later")])).unwrap();
        expected.push("later".to_owned());
        assert_eq!(messages(&store, &streams), expected, "cut at {cut}");
        assert_eq!(messages(&EventStore::open(directory.path()).unwrap(), &streams), expected, "cut at {cut}");
    }
}

#[test]
fn a_batch_of_which_a_bit_is_wrong_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let streams = ["s".to_owned()];
    EventStore::open(directory.path()).unwrap().append("s", batch(&[(1, "message")])).unwrap();
    let file = directory.path().join("s/00000000000000000000.segment");
    let whole = fs::read(&file).unwrap();
    for bit in 0..whole.len() * 8 {
        let mut wrong = whole.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        fs::write(&file, wrong).unwrap();
        assert_eq!(messages(&EventStore::open(directory.path()).unwrap(), &streams), [] as [&str; 0], "bit {bit}");
    }
}

#[test]
fn a_wrong_bit_in_the_middle_costs_one_batch_and_none_that_comes_later() {
    let directory = tempfile::tempdir().unwrap();
    let streams = ["s".to_owned()];
    let store = EventStore::open(directory.path()).unwrap();
    for n in 0..3 {
        store.append("s", batch(&[(n, &n.to_string())])).unwrap();
    }
    let file = directory.path().join("s/00000000000000000000.segment");
    let whole = fs::read(&file).unwrap();
    let frame = whole.len() / 3;
    // One of each byte.
    for bit in (0..frame).map(|byte| byte * 8 + byte % 8) {
        let mut wrong = whole.clone();
        wrong[frame + bit / 8] ^= 1 << (bit % 8);
        store.delete("s").unwrap();
        fs::create_dir(directory.path().join("s")).unwrap();
        fs::write(&file, &wrong).unwrap();
        let store = EventStore::open(directory.path()).unwrap();
        let read = messages(&store, &streams);
        let length_is_wrong = bit < 32;
        assert!(read == ["0", "2"] || length_is_wrong && read == ["0"], "bit {bit}: {read:?}");
        store.append("s", batch(&[(9, "later")])).unwrap();
        let read = messages(&EventStore::open(directory.path()).unwrap(), &streams);
        assert_eq!(read.last().map(String::as_str), Some("later"), "bit {bit}");
        assert!(fs::read(&file).unwrap().starts_with(&wrong), "what cannot be read is left as it is");
    }
}

#[test]
fn pages_in_both_directions_give_every_event_once_and_in_order() {
    for seed in 0..60 {
        let mut rng = Rng::from_seed(seed);
        let directory = tempfile::tempdir().unwrap();
        let mut store = EventStore::with_segments(directory.path(), 1 + rng.below(200)).unwrap();
        let streams = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let mut expected = Vec::new();
        let mut sequences = [0; 3];
        for number in 0..rng.below(40) {
            let stream = rng.below(3) as usize;
            let mut batch = batch(&[]);
            for n in 0..1 + rng.below(3) {
                let (timestamp, message) = (rng.below(30) as i64, format!("{number}.{n}"));
                batch.push(timestamp, &message);
                let key = Key { timestamp, stream: streams[stream].as_str().into(), sequence: sequences[stream] };
                sequences[stream] += 1;
                expected.push((key, message));
            }
            store.append(&streams[stream], batch).unwrap();
            if rng.chance(10) {
                store = EventStore::with_segments(directory.path(), 1 + rng.below(200)).unwrap();
            }
        }
        expected.sort();
        for limit in [1, 3, 100] {
            for newest in [false, true] {
                assert_eq!(walk(&store, &streams, newest, limit), expected, "seed {seed}, limit {limit}, newest {newest}");
            }
        }
    }
}

fn walk(store: &EventStore, streams: &[String], newest: bool, limit: usize) -> Vec<(Key, String)> {
    let (mut pages, mut query) = (Vec::new(), Query { newest, limit, ..all(streams) });
    loop {
        let page = store.read(&query).unwrap();
        match (page.events.first(), page.events.last()) {
            (Some(first), Some(_)) if newest => query.to = first.key.clone(),
            (_, Some(last)) => query.from = last.key.next(),
            _ => break,
        }
        pages.push(page.events.into_iter().map(|event| (event.key, event.message)).collect::<Vec<_>>());
        if !page.more {
            break;
        }
    }
    if newest {
        pages.reverse();
    }
    pages.concat()
}

#[test]
fn a_page_has_a_size_but_never_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let streams = ["s".to_owned()];
    let store = EventStore::open(directory.path()).unwrap();
    store.append("s", batch(&[(1, "four"), (2, "five!"), (3, "6")])).unwrap();
    let read = |bytes| {
        let page = store.read(&Query { bytes, ..all(&streams) }).unwrap();
        (page.events.len(), page.more)
    };
    assert_eq!([read(0), read(4), read(9), read(10)], [(1, true), (1, true), (2, true), (3, false)]);
}

#[test]
fn what_has_expired_is_given_back_and_the_mark_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let streams = ["s".to_owned()];
    let store = EventStore::with_segments(directory.path(), 1).unwrap();
    for n in 0..4 {
        store.append("s", marked(&[(n, &n.to_string())], &[n as u8])).unwrap();
    }
    store.expire("s", 2).unwrap();
    assert_eq!(messages(&store, &streams), ["2", "3"]);
    store.expire("s", 100).unwrap();
    let again = EventStore::open(directory.path()).unwrap();
    assert_eq!((messages(&again, &streams), again.mark("s").unwrap()), (vec!["3".to_owned()], Some(vec![3])));
    assert_eq!(again.streams().unwrap(), BTreeSet::from(streams.clone()));
    let summary = again.summary("s").unwrap();
    assert_eq!((summary.events, summary.oldest, summary.newest, summary.ingested_at), (1, 3, 3, 1));
    again.delete("s").unwrap();
    assert_eq!((messages(&again, &streams).len(), again.summary("s").unwrap()), (0, Summary::default()));
}
