//! What is mounted where inside a container: Docker's list and order, then the definition's own.

use super::HostFacts;
use super::args::INIT;
use crate::{Bind, ContainerRun};
use oci_spec::runtime as oci;
use std::path::Path;
use workload::{ContainerSpec, Sharing, TmpfsSpec};

/// Docker's default when `sharedMemorySize` is not given.
const SHM_MIB: u64 = 64;

/// Docker's default masks (moby `oci/defaults.go`).
pub const MASKED: [&str; 12] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

pub const READONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

pub fn mounts(run: &ContainerRun, container: &ContainerSpec, host: &HostFacts) -> Vec<oci::Mount> {
    let mut mounts = kernel(container, host);
    mounts.push(shared_memory(run, container, host));
    mounts.extend(files(run, host));
    if container.init_process {
        mounts.push(bind(&host.init, INIT, true));
    }
    mounts.extend(container.tmpfs.iter().map(tmpfs));
    let mut binds: Vec<&Bind> = run.binds.iter().collect();
    // A volume inside another one must be mounted after it, whatever the order of the definition.
    binds.sort_by_key(|bind| Path::new(&bind.target).components().count());
    mounts.extend(binds.into_iter().map(|b| bind(&b.source, &b.target, b.read_only)));
    // Last, because they may lie in a volume.
    let private = run.files.iter().enumerate();
    mounts.extend(private.map(|(number, file)| bind(&host.private_files.join(number.to_string()), &file.target, true)));
    mounts
}

fn kernel(container: &ContainerSpec, host: &HostFacts) -> Vec<oci::Mount> {
    let access = if container.privileged { "rw" } else { "ro" };
    let mut mounts = vec![
        mount("proc", "proc", "/proc", &["nosuid", "noexec", "nodev"]),
        mount("tmpfs", "tmpfs", "/dev", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount("devpts", "devpts", "/dev/pts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
        mount("sysfs", "sysfs", "/sys", &["nosuid", "noexec", "nodev", access]),
    ];
    if host.cgroup_v2 {
        mounts.push(mount("cgroup", "cgroup", "/sys/fs/cgroup", &["nosuid", "noexec", "nodev", access]));
    } else if let Some(view) = &host.cgroup_view {
        // Bound by us: libcontainer mounts version 1 cgroups writable whatever the document says.
        mounts.push(mount("bind", &view.to_string_lossy(), "/sys/fs/cgroup", &["rbind", "rro", "nosuid", "noexec", "nodev"]));
    }
    if host.has_mqueue {
        mounts.push(mount("mqueue", "mqueue", "/dev/mqueue", &["nosuid", "noexec", "nodev"]));
    }
    mounts
}

fn shared_memory(run: &ContainerRun, container: &ContainerSpec, host: &HostFacts) -> oci::Mount {
    match run.task.ipc_mode {
        Sharing::Private => {
            let size = format!("size={}", container.shm_size_mib.unwrap_or(SHM_MIB) * 1024 * 1024);
            mount("tmpfs", "shm", "/dev/shm", &["nosuid", "noexec", "nodev", "mode=1777", &size])
        }
        Sharing::Task => bind(&host.shared_memory, "/dev/shm", false),
        Sharing::Host => bind(Path::new("/dev/shm"), "/dev/shm", false),
    }
}

fn files(run: &ContainerRun, host: &HostFacts) -> Vec<oci::Mount> {
    let names = [("hostname", true), ("hosts", has_hosts(run)), ("resolv.conf", has_resolv_conf(run))];
    names
        .iter()
        .filter(|(_, wanted)| *wanted)
        .map(|(name, _)| bind(&host.files.join(name), &format!("/etc/{name}"), false))
        .collect()
}

/// In host mode a container gets a copy of what the host has.
pub fn has_hosts(run: &ContainerRun) -> bool {
    run.hosts.is_some() || run.netns.is_none()
}

pub fn has_resolv_conf(run: &ContainerRun) -> bool {
    run.resolv_conf.is_some() || run.netns.is_none()
}

/// Docker's defaults for `--tmpfs`, each undone by its opposite among the definition's options.
fn tmpfs(tmpfs: &TmpfsSpec) -> oci::Mount {
    let given = |option: &str| tmpfs.options.iter().any(|o| o == option);
    let defaults = [("noexec", "exec"), ("nosuid", "suid"), ("nodev", "dev")];
    let mut options: Vec<String> =
        defaults.iter().filter(|(_, opposite)| !given(opposite)).map(|(d, _)| (*d).to_owned()).collect();
    for option in &tmpfs.options {
        if !options.contains(option) {
            options.push(option.clone());
        }
    }
    if tmpfs.size_mib > 0 {
        options.push(format!("size={}m", tmpfs.size_mib));
    }
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    mount("tmpfs", "tmpfs", &tmpfs.container_path, &options)
}

fn bind(source: &Path, target: &str, read_only: bool) -> oci::Mount {
    mount("bind", &source.to_string_lossy(), target, &["rbind", "rprivate", if read_only { "ro" } else { "rw" }])
}

fn mount(typ: &str, source: &str, target: &str, options: &[&str]) -> oci::Mount {
    let mut mount = oci::Mount::default();
    mount
        .set_typ(Some(typ.to_owned()))
        .set_source(Some(source.into()))
        .set_destination(target.into())
        .set_options(Some(options.iter().map(|o| (*o).to_owned()).collect()));
    mount
}
