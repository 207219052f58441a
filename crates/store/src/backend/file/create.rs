//! Starts an empty store so that there is either a whole one under its name or none: written beside it, synced, renamed.

use super::group::{Meta, Outcome, attempt};
use redb::Database;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

pub(super) fn unless_present(path: &Path) -> Outcome<()> {
    if path.try_exists()? {
        return Ok(());
    }
    let directory = File::open(parent(path))?;
    // Two processes that start at once: the second waits here, then finds the first one's file.
    directory.lock()?;
    if path.try_exists()? {
        return Ok(());
    }
    let draft = draft(path);
    remove_if_present(&draft)?;
    attempt(|| Meta::write_first(&Database::create(&draft).map_err(redb::Error::from)?))?;
    File::open(&draft)?.sync_all()?;
    fs::rename(&draft, path)?;
    Ok(directory.sync_all()?)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn draft(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".new");
    name.into()
}

/// A crash while the store was being created leaves its draft.
fn remove_if_present(draft: &Path) -> io::Result<()> {
    match fs::remove_file(draft) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
