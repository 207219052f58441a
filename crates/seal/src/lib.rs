//! Values that must not stand readable in rows: sealed with AES-256-GCM under the data directory's own key, bound to the
//! place they belong to. A copy of the store without the key file tells nothing of them. Never prints a value; knows no
//! service.

mod file;

pub use file::{Error as FileError, open_or_create};

use base::Rng;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

pub const KEY_BYTES: usize = 32;

/// Cheap to clone.
#[derive(Clone)]
pub struct Key(Arc<Keys>);

struct Keys {
    sealing: LessSafeKey,
    nonces: hmac::Key,
    derived: hmac::Key,
}

/// Nonce and ciphertext, as base64: what is stored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it was sealed with another key, for another place, or is damaged")]
pub struct Unreadable;

impl Key {
    pub fn new(master: &[u8; KEY_BYTES]) -> Key {
        let master = hmac::Key::new(hmac::HMAC_SHA256, master);
        let derived = |name: &str| hmac::sign(&master, name.as_bytes());
        let sealing = UnboundKey::new(&AES_256_GCM, derived("sealing").as_ref()).expect("32 bytes are a key of AES-256");
        let keyed = |name| hmac::Key::new(hmac::HMAC_SHA256, derived(name).as_ref());
        Key(Arc::new(Keys { sealing: LessSafeKey::new(sealing), nonces: keyed("nonces"), derived: keyed("derived") }))
    }

    /// A secret that follows from this one and from what it is for: the same each time, and it tells nothing of others.
    pub fn derived(&self, purpose: &str) -> [u8; KEY_BYTES] {
        let mut bytes = [0; KEY_BYTES];
        bytes.copy_from_slice(hmac::sign(&self.0.derived, purpose.as_bytes()).as_ref());
        bytes
    }

    /// `place` is what the value belongs to; it must be given again to open it.
    pub fn seal(&self, rng: &mut Rng, place: &str, value: &str) -> Sealed {
        let nonce = self.nonce(rng, place, value);
        let mut bytes = value.as_bytes().to_vec();
        let sealed =
            self.0.sealing.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place.as_bytes()), &mut bytes);
        sealed.expect("no value is near the 64 GiB that AES-GCM takes");
        Sealed(STANDARD.encode([nonce.as_slice(), &bytes].concat()))
    }

    pub fn open(&self, place: &str, sealed: &Sealed) -> Result<String, Unreadable> {
        let mut bytes = STANDARD.decode(&sealed.0).map_err(|_| Unreadable)?;
        let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN).ok_or(Unreadable)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unreadable)?;
        let value = self.0.sealing.open_in_place(nonce, Aad::from(place.as_bytes()), text).map_err(|_| Unreadable)?;
        String::from_utf8(value.to_vec()).map_err(|_| Unreadable)
    }

    /// From what is sealed as well as from what is drawn: were the same number ever drawn again, the same nonce would still
    /// stand over the same value only.
    fn nonce(&self, rng: &mut Rng, place: &str, value: &str) -> [u8; NONCE_LEN] {
        let mut context = hmac::Context::with_key(&self.0.nonces);
        context.update(&rng.next_u64().to_le_bytes());
        context.update(&(place.len() as u64).to_le_bytes());
        context.update(place.as_bytes());
        context.update(value.as_bytes());
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&context.sign().as_ref()[..NONCE_LEN]);
        nonce
    }
}

impl Sealed {
    /// As callers see it who may not read it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As somebody gives it back, who may have changed it: opening it tells.
    pub fn from_text(text: &str) -> Sealed {
        Sealed(text.to_owned())
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(…)")
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key::new(&[byte; KEY_BYTES])
    }

    #[test]
    fn what_was_sealed_is_opened_at_its_place_with_its_key_only() {
        let (mut rng, key) = (Rng::from_seed(1), key(1));
        for value in ["", "s", "pässword", &"x".repeat(65536)] {
            let sealed = key.seal(&mut rng, "here", value);
            assert_eq!(key.open("here", &sealed).as_deref(), Ok(value));
            assert_eq!(key.open("there", &sealed), Err(Unreadable));
            assert_eq!(self::key(2).open("here", &sealed), Err(Unreadable));
        }
    }

    #[test]
    fn what_is_derived_follows_from_key_and_purpose() {
        assert_eq!(key(1).derived("one"), key(1).derived("one"));
        assert_ne!(key(1).derived("one"), key(1).derived("other"));
        assert_ne!(key(1).derived("one"), key(2).derived("one"));
    }

    #[test]
    fn what_is_damaged_is_not_opened() {
        let key = key(1);
        let sealed = key.seal(&mut Rng::from_seed(1), "here", "value");
        for at in 0..sealed.0.len() {
            let mut text = sealed.0.clone().into_bytes();
            text[at] = if text[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(key.open("here", &Sealed(String::from_utf8(text).unwrap())), Err(Unreadable), "byte {at}");
        }
        assert_eq!(key.open("here", &Sealed(String::new())), Err(Unreadable));
    }

    #[test]
    fn the_same_value_is_sealed_differently_each_time_and_never_printed() {
        let (mut rng, key) = (Rng::from_seed(1), key(1));
        let (one, other) = (key.seal(&mut rng, "here", "value"), key.seal(&mut rng, "here", "value"));
        assert_ne!(one.0, other.0);
        assert_eq!(format!("{one:?} {key:?}"), "Sealed(…) Key(…)");
    }

    #[test]
    fn two_values_under_the_same_draw_have_nonces_of_their_own() {
        let key = key(1);
        let nonce = |value| key.seal(&mut Rng::from_seed(1), "here", value).0[..16].to_owned();
        assert_ne!(nonce("one"), nonce("two"));
    }
}
