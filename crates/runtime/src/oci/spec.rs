//! A container's definition and image, compiled to an OCI document and the program to run in it: what Docker would have
//! made of them. Pure; what the host and the root file system say is handed in as facts.

pub mod args;
pub mod capability;
pub mod device;
pub mod environment;
pub mod mounts;
pub mod rlimit;
pub mod user;

use crate::ContainerRun;
use crate::oci::program::Program;
use oci_spec::runtime as oci;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use workload::{ContainerSpec, Sharing};

/// What the compiler must know of the place the container will run in.
#[derive(Clone, Debug, Default)]
pub struct HostFacts {
    pub cgroup_v2: bool,
    /// As an OCI document wants it, e.g. `/slipway/<task>/<container>`.
    pub cgroup_path: String,
    /// The capabilities we can hand on at most.
    pub bounding: u64,
    /// Hard limits we cannot exceed; `None`: we may raise them.
    pub hard_limits: Option<BTreeMap<u32, u64>>,
    /// /etc/passwd and /etc/group of the container's root file system.
    pub passwd: String,
    pub group: String,
    /// Nodes of the host, by path: those the definition names, and all of them for a privileged container.
    pub devices: BTreeMap<String, device::Node>,
    pub rootfs: PathBuf,
    /// The directory of the container's own `hosts`, `hostname` and `resolv.conf`.
    pub files: PathBuf,
    /// Where the container's private files are while it starts, by their number.
    pub private_files: PathBuf,
    /// A read-only view of the container's own version 1 cgroups, to be bound at /sys/fs/cgroup.
    pub cgroup_view: Option<PathBuf>,
    pub has_mqueue: bool,
    /// The process whose namespaces a task's containers share.
    pub pause: Option<i32>,
    pub shared_memory: PathBuf,
    /// Our own binary, which is also the init process.
    pub init: PathBuf,
}

#[derive(Debug)]
pub struct Compiled {
    pub spec: oci::Spec,
    pub program: Program,
    /// Allowances on top of Docker's list.
    pub devices: Vec<crate::oci::cgroup::devices::Rule>,
}

/// What cannot be compiled, in Docker's words.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Create(String),
    #[error("{0}")]
    Start(String),
}

pub fn spec(run: &ContainerRun, host: &HostFacts) -> Result<Compiled, Error> {
    let container = definition(run)?;
    let program = program(run, container, host)?;
    let devices = device::wanted(container, &host.devices)?;
    let mut spec = oci::Spec::default();
    spec.set_hostname(Some(run.hostname.clone()))
        .set_domainname(container.domainname.clone())
        .set_root(Some(root(container, &host.rootfs)))
        .set_process(Some(process(container, &program, host.bounding)))
        .set_mounts(Some(mounts::mounts(run, container, host)))
        .set_linux(Some(linux(run, container, host, &devices)));
    Ok(Compiled { spec, program, devices: device::rules(container, &devices) })
}

pub fn definition(run: &ContainerRun) -> Result<&ContainerSpec, Error> {
    let missing = || Error::Create(format!("task {} has no container {}", run.id.task, run.id.container));
    run.task.container(&run.id.container).ok_or_else(missing)
}

fn program(run: &ContainerRun, container: &ContainerSpec, host: &HostFacts) -> Result<Program, Error> {
    let user = container.user.as_deref().unwrap_or(&run.image.user);
    let user = user::resolve(user, &host.passwd, &host.group).map_err(Error::Start)?;
    let capabilities = capability::of(container).map_err(Error::Create)? & host.bounding;
    Ok(Program {
        args: args::of(container, &run.image)?,
        environment: environment::of(run, container, &user.home),
        working_directory: working_directory(run, container),
        capabilities,
        seccomp: !container.privileged,
        no_new_privileges: container.no_new_privileges || has_no_new_privileges(&container.security_options),
        rlimits: rlimit::of(&run.task, container, host.hard_limits.as_ref()),
        user,
    })
}

fn working_directory(run: &ContainerRun, container: &ContainerSpec) -> String {
    let directory = container.working_directory.as_deref().unwrap_or(&run.image.working_directory);
    // Docker takes a relative one as relative to the root.
    if directory.starts_with('/') { directory.to_owned() } else { format!("/{directory}") }
}

fn has_no_new_privileges(security_options: &[String]) -> bool {
    security_options
        .iter()
        .any(|o| matches!(o.as_str(), "no-new-privileges" | "no-new-privileges:true" | "no-new-privileges=true"))
}

fn root(container: &ContainerSpec, rootfs: &Path) -> oci::Root {
    let mut root = oci::Root::default();
    root.set_path(rootfs.to_owned()).set_readonly(Some(container.readonly_root));
    root
}

/// Identity and limits only: arguments and environment are `launch`'s business, so that they never stand in a file.
fn process(container: &ContainerSpec, program: &Program, bounding: u64) -> oci::Process {
    let mut user = oci::User::default();
    user.set_uid(program.user.uid).set_gid(program.user.gid).set_additional_gids(Some(program.user.groups.clone()));
    let mut process = oci::Process::default();
    process
        .set_terminal(Some(container.pseudo_terminal))
        .set_user(user)
        .set_args(Some(vec![program.args[0].clone()]))
        .set_env(Some(Vec::new()))
        .set_cwd(PathBuf::from(&program.working_directory))
        .set_capabilities(Some(capability::until_launch(program.capabilities, bounding)))
        .set_rlimits(Some(program.rlimits.iter().map(rlimit::oci).collect()))
        .set_no_new_privileges(Some(program.no_new_privileges));
    process
}

fn linux(run: &ContainerRun, container: &ContainerSpec, host: &HostFacts, devices: &[device::Wanted]) -> oci::Linux {
    let mut linux = oci::Linux::default();
    let (masked, readonly) = if container.privileged { (&[][..], &[][..]) } else { (&mounts::MASKED[..], &mounts::READONLY[..]) };
    linux
        // Limits and device rules are written by us, before a process is in the group.
        .set_resources(None)
        .set_cgroups_path(Some(PathBuf::from(&host.cgroup_path)))
        .set_namespaces(Some(namespaces(run, host)))
        .set_devices(Some(devices.iter().map(device::oci).collect()))
        .set_sysctl((!container.sysctls.is_empty()).then(|| container.sysctls.clone().into_iter().collect()))
        .set_masked_paths(Some(masked.iter().map(|p| (*p).to_owned()).collect()))
        .set_readonly_paths(Some(readonly.iter().map(|p| (*p).to_owned()).collect()));
    linux
}

fn namespaces(run: &ContainerRun, host: &HostFacts) -> Vec<oci::LinuxNamespace> {
    use oci::LinuxNamespaceType as Type;
    let shared = |file: &str| host.pause.map(|pid| PathBuf::from(format!("/proc/{pid}/ns/{file}")));
    let by_sharing = |sharing: Sharing, typ: Type, file: &str| match sharing {
        Sharing::Private => Some(namespace(typ, None)),
        Sharing::Task => Some(namespace(typ, shared(file))),
        Sharing::Host => None,
    };
    [
        Some(namespace(Type::Mount, None)),
        Some(namespace(Type::Uts, None)),
        by_sharing(run.task.ipc_mode, Type::Ipc, "ipc"),
        by_sharing(run.task.pid_mode, Type::Pid, "pid"),
        run.netns.clone().map(|path| namespace(Type::Network, Some(path))),
        // On version 1 Docker leaves containers in the host's.
        host.cgroup_v2.then(|| namespace(Type::Cgroup, None)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn namespace(typ: oci::LinuxNamespaceType, path: Option<PathBuf>) -> oci::LinuxNamespace {
    let mut namespace = oci::LinuxNamespace::default();
    namespace.set_typ(typ).set_path(path);
    namespace
}

#[cfg(test)]
mod tests;
