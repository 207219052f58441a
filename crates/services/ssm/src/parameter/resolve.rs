//! A parameter as a container's definition names it: by name or ARN, with a selector or without.

use super::find;
use super::name::split;
use base::Scope;
use seal::Key;
use store::Image;

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unresolved {
    /// No such parameter, or no such version of it.
    Missing,
    /// It is there and this server's key does not open it.
    Unreadable,
}

pub fn resolve(seal: &Key, image: &Image, scope: &Scope, given: &str) -> Result<String, Unresolved> {
    let (name, _, selector) = split(given);
    let parameter = find(image, scope, name).ok_or(Unresolved::Missing)?;
    let version = parameter.selected(&selector).ok_or(Unresolved::Missing)?;
    parameter.value(seal, version).map_err(|_| Unresolved::Unreadable)
}
