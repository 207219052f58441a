//! A task's volumes on this host: where each lies, and which of them a container sees where. Volumes of the task lie in a
//! directory that goes with it; shared ones lie beside and stay.

pub mod apart;
pub mod efs;
mod mount;

use super::copy_up;
use crate::engine::Facts;
use efs::FileSystems;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use workload::{ContainerSpec, TaskSpec, VolumeSource, VolumeSpec};

/// The only volume driver that is here without a plugin.
const LOCAL: &str = "local";

#[derive(Clone, Debug)]
pub struct Volumes {
    tasks: PathBuf,
    shared: PathBuf,
    file_systems: FileSystems,
    /// This program, to be started for a mount that may take long.
    program: PathBuf,
}

/// A place in a container and what is seen there.
#[derive(Clone, Debug, PartialEq)]
pub struct Mount {
    pub source: PathBuf,
    pub target: String,
    pub read_only: bool,
    /// A volume that is empty is given what the image has at the place, as Docker does it.
    pub fills: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("create {volume}: error looking up volume plugin {driver}: plugin \"{driver}\" not found")]
    NoDriver { volume: String, driver: String },
    #[error("create {volume}: {source}")]
    Options { volume: String, source: mount::Error },
    #[error(transparent)]
    Efs(#[from] efs::Error),
    #[error("get {0}: no such volume")]
    NoSuchVolume(String),
    #[error("create {0}: volume name is invalid")]
    InvalidName(String),
    #[error("container {container} mounts the volume {volume}, which the task does not have")]
    NotDeclared { container: String, volume: String },
    #[error("{context}: {source}")]
    Io { context: String, source: io::Error },
}

impl Volumes {
    pub fn new(data: &Path, file_systems: FileSystems, program: PathBuf) -> Volumes {
        Volumes { tasks: data.join("volumes"), shared: data.join("shared-volumes"), file_systems, program }
    }

    /// Makes what is not there. Idempotent.
    pub fn prepare(&self, spec: &TaskSpec) -> Result<(), Error> {
        spec.volumes.iter().try_for_each(|volume| self.create(spec, volume))
    }

    fn create(&self, spec: &TaskSpec, volume: &VolumeSpec) -> Result<(), Error> {
        let path = self.path(spec, volume)?;
        match &volume.source {
            VolumeSource::Docker { name, shared: true, autoprovision: false, .. } if !path.is_dir() => {
                Err(Error::NoSuchVolume(name.clone()))
            }
            VolumeSource::Host { .. } if path.exists() => Ok(()),
            VolumeSource::Docker { name, options, .. } => create_dir(&path).and_then(|()| self.mount(name, options, &path)),
            VolumeSource::Efs { file_system, root, options } => {
                create_dir(&path)?;
                let volume = (file_system.as_str(), root.as_str(), options);
                Ok(efs::mount(&self.file_systems, &self.program, volume, &spec.region, &path)?)
            }
            _ => create_dir(&path),
        }
    }

    fn mount(&self, volume: &str, options: &BTreeMap<String, String>, path: &Path) -> Result<(), Error> {
        let mounted = mount::parse(options).and_then(|mounting| mounting.map_or(Ok(()), |m| m.mount(path, &self.program)));
        mounted.map_err(|source| Error::Options { volume: volume.to_owned(), source })
    }

    fn path(&self, spec: &TaskSpec, volume: &VolumeSpec) -> Result<PathBuf, Error> {
        match &volume.source {
            VolumeSource::Task | VolumeSource::Efs { .. } => Ok(self.of_task(spec).join(safe(&volume.name)?)),
            VolumeSource::Host { path } => Ok(PathBuf::from(path)),
            VolumeSource::Docker { name, shared, driver, .. } => {
                check_driver(name, driver)?;
                let directory = if *shared { self.shared.clone() } else { self.of_task(spec) };
                Ok(directory.join(safe(name)?))
            }
        }
    }

    fn of_task(&self, spec: &TaskSpec) -> PathBuf {
        self.tasks.join(&spec.id)
    }

    /// All that a container sees: its own mounts, those of the containers it takes volumes from, and the places its image
    /// declares as volumes. What comes first wins a place.
    pub fn mounts(&self, facts: &Facts, container: &ContainerSpec) -> Result<Vec<Mount>, Error> {
        let mut places = BTreeMap::new();
        self.collect(facts, container, false, &mut vec![], &mut places)?;
        Ok(places.into_values().collect())
    }

    fn collect<'a>(
        &self,
        facts: &'a Facts,
        container: &'a ContainerSpec,
        read_only: bool,
        visited: &mut Vec<&'a str>,
        places: &mut BTreeMap<String, Mount>,
    ) -> Result<(), Error> {
        if visited.contains(&container.name.as_str()) {
            return Ok(());
        }
        visited.push(&container.name);
        let mut put = |mut mount: Mount| {
            mount.read_only |= read_only;
            places.entry(mount.target.clone()).or_insert(mount);
        };
        for mount in self.own(&facts.spec, container)? {
            put(mount);
        }
        let declared = facts.images.get(&container.name).map(|image| image.volumes.as_slice()).unwrap_or_default();
        let inherits = container.volumes_from.iter().filter_map(|from| Some((facts.spec.container(&from.container)?, from)));
        for (source, from) in inherits {
            self.collect(facts, source, read_only || from.read_only, visited, places)?;
        }
        for target in declared {
            let target = clean(target);
            let source = self.anonymous(&facts.spec, container, &target);
            let mount = Mount { source, target: target.clone(), read_only, fills: true };
            places.entry(target).or_insert(mount);
        }
        Ok(())
    }

    fn own(&self, spec: &TaskSpec, container: &ContainerSpec) -> Result<Vec<Mount>, Error> {
        let mount = |mount: &workload::MountSpec| {
            let volume = spec.volumes.iter().find(|v| v.name == mount.volume);
            let volume = volume.ok_or_else(|| not_declared(container, &mount.volume))?;
            let fills = !matches!(volume.source, VolumeSource::Host { .. });
            let target = clean(&mount.container_path);
            Ok(Mount { source: self.path(spec, volume)?, target, read_only: mount.read_only, fills })
        };
        container.mounts.iter().map(mount).collect()
    }

    /// Of one container and place; task volumes cannot have its name.
    fn anonymous(&self, spec: &TaskSpec, container: &ContainerSpec, target: &str) -> PathBuf {
        let name = target.replace('%', "%25").replace('/', "%2F");
        self.of_task(spec).join(".image").join(&container.name).join(name)
    }

    /// Makes the sources of mounts that are made on demand, and fills what is empty.
    pub fn provide(&self, mounts: &[Mount], layers: &[PathBuf]) -> Result<(), Error> {
        for mount in mounts.iter().filter(|mount| mount.fills) {
            create_dir(&mount.source)?;
            copy_up::fill(layers, &mount.target, &mount.source).map_err(|source| Error::Io {
                context: format!("copying the image's {} into its volume", mount.target),
                source,
            })?;
        }
        Ok(())
    }

    /// Everything that goes with the task. Idempotent.
    pub fn remove(&self, spec: &TaskSpec) -> Result<(), Error> {
        let path = self.of_task(spec);
        if !path.exists() {
            return Ok(());
        }
        mount::unmount_all(&path).map_err(|source| Error::Options { volume: spec.id.clone(), source })?;
        self.leave_mount_points(spec)?;
        gone(fs::remove_dir_all(&path), &path)
    }

    /// Never with what is in them: a file system that a killed agent's last breath mounted just now is somebody's data, and
    /// a directory that is one cannot be removed alone.
    fn leave_mount_points(&self, spec: &TaskSpec) -> Result<(), Error> {
        let efs = spec.volumes.iter().filter(|volume| matches!(volume.source, VolumeSource::Efs { .. }));
        for path in efs.filter_map(|volume| self.path(spec, volume).ok()) {
            gone(fs::remove_dir(&path), &path)?;
        }
        Ok(())
    }
}

/// Of a directory that is not there nothing is left.
fn gone(removed: io::Result<()>, path: &Path) -> Result<(), Error> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", path, error)),
        _ => Ok(()),
    }
}

fn check_driver(volume: &str, driver: &str) -> Result<(), Error> {
    if driver.is_empty() || driver == LOCAL {
        return Ok(());
    }
    Err(Error::NoDriver { volume: volume.to_owned(), driver: driver.to_owned() })
}

/// Docker's rule for volume names; it also keeps them inside our directory.
fn safe(name: &str) -> Result<&str, Error> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts && name.chars().all(good) { Ok(name) } else { Err(Error::InvalidName(name.to_owned())) }
}

fn clean(target: &str) -> String {
    let parts: Vec<&str> = target.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    format!("/{}", parts.join("/"))
}

fn not_declared(container: &ContainerSpec, volume: &str) -> Error {
    Error::NotDeclared { container: container.name.clone(), volume: volume.to_owned() }
}

fn create_dir(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|error| io_error("create", path, error))
}

fn io_error(what: &str, path: &Path, source: io::Error) -> Error {
    Error::Io { context: format!("{what} {}", path.display()), source }
}

#[cfg(test)]
#[path = "volumes/tests.rs"]
mod tests;
