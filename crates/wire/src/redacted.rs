//! What generated `Debug` implementations print for members the model calls sensitive: that they are there, never what.

use std::fmt;

pub struct Redacted;

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

pub fn redacted<T>(member: &Option<T>) -> Option<Redacted> {
    member.as_ref().map(|_| Redacted)
}
