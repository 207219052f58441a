//! Names of content: `sha256:` and 64 hexadecimal digits. Parses them, makes them from bytes, and hashes what streams past.
//! Other algorithms are refused: every registry and every archive in use speaks sha256.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    hex: String,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid digest {0:?}")]
pub struct NotADigest(pub String);

impl Digest {
    pub fn of(bytes: &[u8]) -> Digest {
        Digest { hex: hexadecimal(&Sha256::digest(bytes)) }
    }

    /// From the 64 digits alone, the way blobs are named on disk.
    pub fn from_hex(hex: &str) -> Result<Digest, NotADigest> {
        let well_formed = hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if well_formed { Ok(Digest { hex: hex.to_owned() }) } else { Err(NotADigest(hex.to_owned())) }
    }

    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// Identity of a layer on top of all the layers below it (OCI image specification, "Layer ChainID").
    pub fn chain(below: Option<&Digest>, diff_id: &Digest) -> Digest {
        match below {
            None => diff_id.clone(),
            Some(below) => Digest::of(format!("{below} {diff_id}").as_bytes()),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = NotADigest;
    fn from_str(text: &str) -> Result<Digest, NotADigest> {
        let hex = text.strip_prefix("sha256:").ok_or_else(|| NotADigest(text.to_owned()))?;
        Digest::from_hex(hex).map_err(|_| NotADigest(text.to_owned()))
    }
}

impl TryFrom<String> for Digest {
    type Error = NotADigest;
    fn try_from(text: String) -> Result<Digest, NotADigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

/// Hashes everything written to it.
#[derive(Clone, Default)]
pub struct Hasher {
    state: Sha256,
    pub length: u64,
}

impl Hasher {
    pub fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
        self.length += bytes.len() as u64;
    }

    pub fn digest(&self) -> Digest {
        Digest { hex: hexadecimal(&self.state.clone().finalize()) }
    }
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A reader that hashes what passes. Clones share the stream, so that one can be given to a decoder, which keeps it,
/// and the other can read what the decoder left and tell the digest of the whole.
#[derive(Clone)]
pub struct Tap {
    shared: Arc<Mutex<Tapped>>,
}

struct Tapped {
    inner: Box<dyn Read + Send>,
    hasher: Hasher,
}

impl Tap {
    pub fn new(inner: impl Read + Send + 'static) -> Tap {
        Tap { shared: Arc::new(Mutex::new(Tapped { inner: Box::new(inner), hasher: Hasher::default() })) }
    }

    /// Reads to the end and tells the digest of everything that was ever read.
    pub fn drain(&mut self) -> io::Result<Digest> {
        io::copy(self, &mut io::sink())?;
        let tapped = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(tapped.hasher.digest())
    }
}

impl Read for Tap {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut tapped = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let count = tapped.inner.read(buffer)?;
        tapped.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_it_prints_and_nothing_else() {
        let digest = Digest::of(b"abc");
        assert_eq!(digest.to_string().parse(), Ok(digest.clone()));
        assert_eq!(digest.to_string(), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        for bad in ["", "sha256:", "sha256:BA7816", "sha512:00", &digest.to_string()[..70], "sha256:../../../etc/passwd"] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_base_layers_chain_id_is_its_diff_id() {
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        assert_eq!(Digest::chain(None, &a), a);
        assert_eq!(Digest::chain(Some(&a), &b), Digest::of(format!("{a} {b}").as_bytes()));
    }

    #[test]
    fn a_tap_tells_the_digest_of_what_nobody_read_too() {
        let mut tap = Tap::new(&b"hello world"[..]);
        tap.clone().read_exact(&mut [0; 5]).unwrap();
        assert_eq!(tap.drain().unwrap(), Digest::of(b"hello world"));
    }
}
