//! Control groups of both versions: one per task, one per container below it. Decides what to write in `limits` and
//! `devices`, writes it here. On version 1 only the hierarchies that are mounted are used (hybrid hosts miss some).

mod bpf;
pub mod devices;
pub mod limits;
pub mod moves;
mod processes;
pub mod usage;

use crate::oci::dir::ignore_missing;
use limits::{Limits, Write};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const ROOT: &str = "/sys/fs/cgroup";

/// How this host's cgroups are laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    V1(Vec<Hierarchy>),
    V2(PathBuf),
}

/// One mounted version 1 hierarchy, e.g. `cpu,cpuacct` at `/sys/fs/cgroup/cpu,cpuacct`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    pub controllers: Vec<String>,
    pub mount: PathBuf,
}

impl Host {
    pub fn detect() -> io::Result<Host> {
        Ok(Host::parse(&fs::read_to_string("/proc/self/mountinfo")?))
    }

    /// Unified when the root of all cgroups itself is a cgroup2; a cgroup2 elsewhere (hybrid) controls nothing of ours.
    fn parse(mountinfo: &str) -> Host {
        let mounts: Vec<Mount> = mountinfo.lines().filter_map(mount).collect();
        if mounts.iter().any(|m| m.kind == "cgroup2" && m.point == ROOT) {
            return Host::V2(PathBuf::from(ROOT));
        }
        let v1 = mounts.iter().filter(|m| m.kind == "cgroup" && m.point.starts_with(ROOT));
        Host::V1(v1.map(hierarchy).filter(|h| !h.controllers.is_empty()).collect())
    }

    pub fn group(&self, path: &str) -> Group {
        Group { host: self.clone(), path: path.to_owned() }
    }
}

struct Mount<'a> {
    point: &'a str,
    kind: &'a str,
    options: &'a str,
}

/// `36 25 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu`
fn mount(line: &str) -> Option<Mount<'_>> {
    let (left, right) = line.split_once(" - ")?;
    let mut right = right.split(' ');
    Some(Mount { point: left.split(' ').nth(4)?, kind: right.next()?, options: right.nth(1)? })
}

fn hierarchy(mount: &Mount<'_>) -> Hierarchy {
    const NOT_CONTROLLERS: [&str; 6] = ["rw", "ro", "xattr", "noprefix", "clone_children", "favordynmods"];
    let controllers = mount.options.split(',').filter(|o| !NOT_CONTROLLERS.contains(o) && !o.contains('='));
    Hierarchy { controllers: controllers.map(str::to_owned).collect(), mount: PathBuf::from(mount.point) }
}

/// A cgroup by its path below the root, in every hierarchy.
#[derive(Clone, Debug)]
pub struct Group {
    host: Host,
    path: String,
}

impl Group {
    /// As an OCI document wants it: absolute within the hierarchy.
    pub fn path(&self) -> String {
        format!("/{}", self.path)
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Where each hierarchy has this group.
    pub fn dirs(&self) -> Vec<PathBuf> {
        match &self.host {
            Host::V1(hierarchies) => hierarchies.iter().map(|h| h.mount.join(&self.path)).collect(),
            Host::V2(root) => vec![root.join(&self.path)],
        }
    }

    fn dir_of(&self, controller: &str) -> Option<PathBuf> {
        match &self.host {
            Host::V1(all) => all.iter().find(|h| h.controllers.iter().any(|c| c == controller)).map(|h| h.mount.join(&self.path)),
            Host::V2(root) => Some(root.join(&self.path)),
        }
    }

    pub fn create(&self, limits: &Limits) -> io::Result<()> {
        match &self.host {
            Host::V1(hierarchies) => hierarchies.iter().try_for_each(|h| create_v1(h, &self.path))?,
            Host::V2(root) => create_v2(root, &self.path)?,
        }
        let writes = match self.host {
            Host::V1(_) => limits.v1(),
            Host::V2(_) => limits.v2(),
        };
        writes.iter().try_for_each(|write| self.write(write))
    }

    pub fn restrict_devices(&self, rules: &[devices::Rule]) -> io::Result<()> {
        match &self.host {
            Host::V1(_) => devices::v1(rules).iter().try_for_each(|write| self.write(write)),
            Host::V2(root) => bpf::attach(&root.join(&self.path), rules),
        }
    }

    fn write(&self, write: &Write) -> io::Result<()> {
        let Some(dir) = self.dir_of(write.controller) else { return Ok(()) };
        let file = dir.join(write.file);
        match fs::write(&file, &write.value) {
            // A kernel without swap accounting or without a deprecated knob.
            Err(error)
                if write.optional
                    && matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EACCES | libc::EINVAL | libc::EOPNOTSUPP)) =>
            {
                Ok(())
            }
            Err(error) => Err(named(&file, error)),
            Ok(()) => Ok(()),
        }
    }

    /// Moves a process, with all its threads, in every hierarchy.
    pub fn join(&self, pid: i32) -> io::Result<()> {
        self.dirs().iter().try_for_each(|dir| fs::write(dir.join("cgroup.procs"), pid.to_string()).map_err(|e| named(dir, e)))
    }

    /// How often the kernel killed a process of this group for want of memory.
    pub fn oom_kills(&self) -> u64 {
        let file = match self.host {
            Host::V1(_) => "memory.oom_control",
            Host::V2(_) => "memory.events",
        };
        let text = self.dir_of("memory").and_then(|dir| fs::read_to_string(dir.join(file)).ok()).unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")).and_then(|n| n.trim().parse().ok()).unwrap_or(0)
    }

    /// Kills every process in the group and below, and does not wait.
    pub fn send_kill(&self) {
        processes::send_kill(&self.dirs());
    }

    /// Kills every process in the group and below, and returns once all of them are dead or after a while. Not for the
    /// parent of the first process of a pid namespace, which is not dead before that parent has reaped the others.
    pub fn kill(&self) {
        processes::kill(&self.dirs());
    }

    /// Removes the group with everything below it. What is busy has been killed before, so the wait is for the kernel only.
    pub fn remove(&self) -> io::Result<()> {
        self.dirs().iter().try_for_each(|dir| processes::remove(dir))
    }

    /// Removes it if nothing is left inside; otherwise a later `remove` will.
    pub fn try_remove(&self) {
        for dir in self.dirs() {
            let _ = fs::remove_dir(dir);
        }
    }
}

fn create_v1(hierarchy: &Hierarchy, path: &str) -> io::Result<()> {
    let mut dir = hierarchy.mount.clone();
    for component in Path::new(path).components() {
        let parent = dir.clone();
        dir.push(component);
        make_dir(&dir)?;
        if hierarchy.controllers.iter().any(|c| c == "cpuset") {
            inherit_cpuset(&parent, &dir)?;
        }
    }
    Ok(())
}

/// A new version 1 cpuset is empty and takes no process until it has processors and memory nodes.
fn inherit_cpuset(parent: &Path, dir: &Path) -> io::Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        if fs::read_to_string(dir.join(file))?.trim().is_empty() {
            fs::write(dir.join(file), fs::read_to_string(parent.join(file))?).map_err(|e| named(&dir.join(file), e))?;
        }
    }
    Ok(())
}

/// Every level passes all its controllers on, down to the parent of the new group.
fn create_v2(root: &Path, path: &str) -> io::Result<()> {
    let mut dir = root.to_owned();
    for component in Path::new(path).components() {
        delegate(&dir)?;
        dir.push(component);
        make_dir(&dir)?;
    }
    Ok(())
}

fn delegate(dir: &Path) -> io::Result<()> {
    let read = |file: &str| fs::read_to_string(dir.join(file)).map_err(|e| named(&dir.join(file), e));
    let (available, enabled) = (read("cgroup.controllers")?, read("cgroup.subtree_control")?);
    let enabled: Vec<&str> = enabled.split_whitespace().collect();
    for controller in available.split_whitespace().filter(|c| !enabled.contains(c)) {
        // One at a time: a controller the kernel refuses here (realtime threads and `cpu`) must not keep the others out.
        let _ = fs::write(dir.join("cgroup.subtree_control"), format!("+{controller}"));
    }
    Ok(())
}

fn make_dir(dir: &Path) -> io::Result<()> {
    match fs::create_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map_err(|e| named(dir, e)),
    }
}

fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn remove_one(dir: &Path) -> io::Result<()> {
    ignore_missing(fs::remove_dir(dir))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(mountinfo: &str, expected: Expect) {
        let text = match Host::parse(mountinfo) {
            Host::V2(root) => format!("v2 {}", root.display()),
            Host::V1(all) => all.iter().map(|h| format!("{} {}\n", h.mount.display(), h.controllers.join("+"))).collect(),
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn a_hybrid_host_is_version_1_without_named_hierarchies() {
        check(
            "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
             32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
             35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
             40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd\n\
             41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw",
            expect![[r#"
                /sys/fs/cgroup/cpu,cpuacct cpu+cpuacct
                /sys/fs/cgroup/memory memory
            "#]],
        );
    }

    #[test]
    fn a_unified_host_is_version_2() {
        check("31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate", expect!["v2 /sys/fs/cgroup"]);
    }
}
