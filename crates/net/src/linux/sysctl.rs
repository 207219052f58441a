//! Kernel parameters under /proc/sys/net. They belong to the network namespace of the thread that touches them.

use std::io;
use std::path::PathBuf;

pub fn read(name: &str) -> io::Result<String> {
    Ok(std::fs::read_to_string(path(name))?.trim().to_owned())
}

pub fn write(name: &str, value: &str) -> io::Result<()> {
    std::fs::write(path(name), value).map_err(|error| io::Error::new(error.kind(), format!("sysctl {name} = {value}: {error}")))
}

/// For what a kernel may be built without.
pub fn write_if_there(name: &str, value: &str) -> io::Result<()> {
    match write(name, value) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// No dot survives, so no name leads out of /proc/sys.
fn path(name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/sys/{}", name.replace('.', "/")))
}
