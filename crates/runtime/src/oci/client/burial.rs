//! What is left of a sandbox whose shim is gone: its processes are killed and its containers' ends written down, so that
//! nothing runs unreported. Blocking work on the blocking pool.

use crate::Exit;
use crate::oci::cgroup::Host;
use crate::oci::dir::{Record, Sandbox, remove_dir_if_any};
use base::{Clock, SystemClock};
use nix::mount::{MntFlags, umount2};
use std::io;
use std::path::Path;
use workload::TaskId;

/// The exit code of a container nobody saw end.
const LOST: i32 = 137;

#[derive(Clone)]
pub struct Grave {
    pub sandbox: Sandbox,
    pub cgroup: String,
}

impl Grave {
    /// Ends what the shim held; the records stay until the sandbox is closed. Whoever closes it meanwhile, as a host that is
    /// stopped does, leaves nothing to do.
    pub async fn bury(&self) -> io::Result<()> {
        self.blocking(|grave| match grave.kill().and_then(|()| grave.write_ends()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !grave.sandbox.0.exists() => Ok(()),
            done => done,
        })
        .await
    }

    /// What is known of containers whose shim is gone.
    pub async fn dig(&self) -> io::Result<Vec<(String, Record)>> {
        self.blocking(|grave| {
            if !grave.sandbox.0.exists() {
                return Ok(Vec::new());
            }
            grave.kill()?;
            grave.write_ends()?;
            grave.sandbox.records()
        })
        .await
    }

    /// The end of the sandbox itself.
    pub async fn clear(&self) -> io::Result<()> {
        self.blocking(|grave| {
            grave.kill()?;
            remove_dir_if_any(&grave.sandbox.0)
        })
        .await
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Grave) -> io::Result<T> + Send + 'static) -> io::Result<T> {
        let grave = self.clone();
        tokio::task::spawn_blocking(move || work(&grave)).await.map_err(io::Error::other)?
    }

    fn kill(&self) -> io::Result<()> {
        let group = Host::detect()?.group(&self.cgroup);
        if group.dirs().iter().any(|dir| dir.exists()) {
            group.kill();
            group.remove()?;
        }
        let shared_memory = self.sandbox.shared_memory();
        if shared_memory.exists() {
            // Not mounted is as good as unmounted.
            let _ = umount2(&shared_memory, MntFlags::MNT_DETACH);
        }
        Ok(())
    }

    fn write_ends(&self) -> io::Result<()> {
        for (name, record) in self.sandbox.records()? {
            if record.exit.is_none() {
                self.sandbox.container(&name).exited(&Exit { code: LOST, oom_killed: false, at: SystemClock.now() })?;
            }
        }
        Ok(())
    }
}

/// Every sandbox there is, by its directory.
pub fn tasks(root: &Path) -> io::Result<Vec<TaskId>> {
    let mut tasks = Vec::new();
    for entry in std::fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            tasks.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    tasks.sort();
    Ok(tasks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_cleared_already_needs_no_burial() {
        let nowhere = tempfile::tempdir().unwrap();
        let grave = Grave { sandbox: Sandbox(nowhere.path().join("gone")), cgroup: "slipway-test-none/gone".into() };
        grave.bury().await.unwrap();
    }
}
