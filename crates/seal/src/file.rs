//! The key in its file: drawn once, readable by its owner only, durable before anything is sealed with it.

use crate::{KEY_BYTES, Key};
use base::Rng;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
#[error("the key of secrets {path}: {source}")]
pub struct Error {
    path: PathBuf,
    source: io::Error,
}

pub fn open_or_create(path: &Path) -> Result<Key, Error> {
    let key = match read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => create(path),
        read => read,
    };
    key.map(|bytes| Key::new(&bytes)).map_err(|source| Error { path: path.to_owned(), source })
}

fn read(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let mut file = File::open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        return Err(io::Error::other("others than its owner may read it; chmod 600 it"));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    bytes.try_into().map_err(|_| io::Error::other("it is not 32 bytes long"))
}

/// Under another name first: a key that was half written must never be taken for one.
fn create(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let bytes = draw();
    let temporary = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()?;
    Ok(bytes)
}

fn draw() -> [u8; KEY_BYTES] {
    let mut rng = Rng::from_os();
    let mut bytes = [0; KEY_BYTES];
    bytes.chunks_exact_mut(8).for_each(|chunk| chunk.copy_from_slice(&rng.next_u64().to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_drawn_once_and_only_its_owner_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets.key");
        let sealed = open_or_create(&path).unwrap().seal(&mut Rng::from_seed(1), "p", "v");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(open_or_create(&path).unwrap().open("p", &sealed).as_deref(), Ok("v"));
        let other = open_or_create(&directory.path().join("other.key")).unwrap();
        assert!(other.open("p", &sealed).is_err());
    }

    #[test]
    fn a_key_that_others_may_read_or_that_is_none_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets.key");
        open_or_create(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(open_or_create(&path).unwrap_err().source.to_string().starts_with("others"));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::write(&path, "short").unwrap();
        assert!(open_or_create(&path).unwrap_err().source.to_string().starts_with("it is not"));
    }
}
