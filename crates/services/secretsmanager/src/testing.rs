//! The plane of these tests, and the key that its values are sealed with.

use kernel::testing::Plane;
use seal::{KEY_BYTES, Key};

pub fn key() -> Key {
    Key::new(&[7; KEY_BYTES])
}

pub fn plane() -> Plane {
    Plane::new(crate::service(&key()))
}
