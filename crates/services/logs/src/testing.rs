//! The plane of these tests, with events in a directory that goes with it.

use kernel::testing::Plane;
use logstore::{EventStore, Events};

pub fn plane() -> Plane {
    let directory = tempfile::tempdir().expect("there is room for tests");
    let events = Events::new(EventStore::open(directory.path()).expect("the directory is new"));
    Plane::new(crate::service(&events)).beside(directory)
}
