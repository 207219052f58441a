//! The plane of these tests.

use kernel::testing::Plane;

pub fn plane() -> Plane {
    Plane::new(crate::service(&seal::Key::new(&[7; seal::KEY_BYTES])))
}
