//! A task's log router on this host: the directories that its container sees, the configuration written there, and what the
//! task's containers are told of it. Paths and variables are the stock agent's (`agent/api/task/task.go`,
//! `agent/engine/docker_task_engine.go`). Sends nothing itself: that is `driver`.

mod config;
pub mod driver;
mod forward;

use crate::engine::Facts;
use crate::engine::network::plug_id;
use runtime::Bind;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use workload::{ContainerSpec, FirelensFile, FirelensKind, FirelensSpec, NetworkMode, TaskSpec};

/// Of containers that send to the router.
pub const DRIVER: &str = "awsfirelens";
const PORT: &str = "24224";
const SOCKET_DIRECTORY: &str = "/var/run/";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error("unable to initialize resource directory {directory}: {source}")]
    Io { directory: PathBuf, source: io::Error },
}

#[derive(Clone, Debug)]
pub struct Firelens {
    tasks: PathBuf,
}

impl Firelens {
    pub fn new(data: &Path) -> Firelens {
        Firelens { tasks: data.join("firelens") }
    }

    /// Writes what the router is to find; `external` is what came from S3. Idempotent.
    pub fn prepare(
        &self,
        spec: &TaskSpec,
        router: &ContainerSpec,
        firelens: &FirelensSpec,
        external: Option<&[u8]>,
    ) -> Result<(), Error> {
        let text = config::generate(spec, router, firelens)?;
        let written = self.write(spec, router, &text, external.unwrap_or_default());
        written.map_err(|source| Error::Io { directory: self.of_task(spec), source })
    }

    fn write(&self, spec: &TaskSpec, router: &ContainerSpec, text: &str, external: &[u8]) -> io::Result<()> {
        let (config, socket) = (self.config_directory(spec), self.socket_directory(spec));
        fs::create_dir_all(&config)?;
        fs::create_dir_all(&socket)?;
        fs::write(config.join("fluent.conf"), text)?;
        fs::write(config.join("external.conf"), external)?;
        let (user, group) = owner(router.user.as_deref().unwrap_or_default());
        std::os::unix::fs::chown(&socket, user, group)
    }

    /// What the router's container has from its host.
    pub fn binds(&self, spec: &TaskSpec, firelens: &FirelensSpec) -> Vec<Bind> {
        let file = self.config_directory(spec).join("fluent.conf");
        let bind = |source, target: &str| Bind { source, target: target.to_owned(), read_only: false };
        let mut binds = vec![bind(file, config_path(firelens.kind)), bind(self.socket_directory(spec), SOCKET_DIRECTORY)];
        if matches!(firelens.config_file, Some(FirelensFile::S3(_))) {
            binds.push(bind(self.config_directory(spec).join("external.conf"), external_path(firelens.kind)));
        }
        binds
    }

    /// Where the router listens.
    pub fn socket(&self, task: &str) -> PathBuf {
        self.tasks.join(task).join("socket/fluent.sock")
    }

    /// How much of a container's output has been brought to it.
    fn progress(&self, task: &str, container: &str) -> PathBuf {
        self.tasks.join(task).join("progress").join(container)
    }

    /// Idempotent.
    pub fn remove(&self, spec: &TaskSpec) -> io::Result<()> {
        match fs::remove_dir_all(self.of_task(spec)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn of_task(&self, spec: &TaskSpec) -> PathBuf {
        self.tasks.join(&spec.id)
    }

    fn config_directory(&self, spec: &TaskSpec) -> PathBuf {
        self.of_task(spec).join("config")
    }

    fn socket_directory(&self, spec: &TaskSpec) -> PathBuf {
        self.of_task(spec).join("socket")
    }
}

/// Over the container's own variables, as the stock agent puts them: where the router listens, for those that send to it.
pub fn environment(facts: &Facts, container: &ContainerSpec) -> Vec<(String, String)> {
    let mut variables = vec![];
    if container.firelens.as_ref().is_some_and(|firelens| firelens.kind == FirelensKind::Fluentd) {
        variables.push(("FLUENT_UID".to_owned(), "0".to_owned())); // for the socket, which is root's
    }
    if container.log.driver == DRIVER
        && let Some(host) = host(facts)
    {
        variables.push(("FLUENT_HOST".to_owned(), host));
        variables.push(("FLUENT_PORT".to_owned(), PORT.to_owned()));
    }
    variables
}

fn host(facts: &Facts) -> Option<String> {
    let router = facts.spec.containers.iter().find(|container| container.firelens.is_some())?;
    match facts.spec.network_mode {
        NetworkMode::Awsvpc => Some("127.0.0.1".to_owned()),
        NetworkMode::Bridge => {
            let attachment = facts.attachments.get(&plug_id(&facts.spec, &router.name)?)?;
            Some(attachment.address.as_ref()?.ipv4.clone())
        }
        NetworkMode::Host | NetworkMode::None => None,
    }
}

fn config_path(kind: FirelensKind) -> &'static str {
    match kind {
        FirelensKind::Fluentd => "/fluentd/etc/fluent.conf",
        FirelensKind::Fluentbit => "/fluent-bit/etc/fluent-bit.conf",
    }
}

/// What came from S3.
fn external_path(kind: FirelensKind) -> &'static str {
    match kind {
        FirelensKind::Fluentd => "/fluentd/etc/external.conf",
        FirelensKind::Fluentbit => "/fluent-bit/etc/external.conf",
    }
}

/// A router that is not root makes its socket there; the stock agent knows numbers only, as names are the image's.
fn owner(user: &str) -> (Option<u32>, Option<u32>) {
    let (user, group) = user.split_once(':').unwrap_or((user, ""));
    (user.parse().ok(), group.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Attachment;
    use expect_test::{Expect, expect};
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use workload::{Address, LogSpec};

    fn facts(mode: NetworkMode) -> Facts {
        let firelens = FirelensSpec { kind: FirelensKind::Fluentd, ecs_metadata: true, config_file: None };
        let router = ContainerSpec { name: "router".into(), firelens: Some(firelens), ..ContainerSpec::default() };
        let log = LogSpec { driver: DRIVER.into(), options: BTreeMap::new() };
        let app = ContainerSpec { name: "app".into(), log, ..ContainerSpec::default() };
        let other = ContainerSpec { name: "other".into(), ..ContainerSpec::default() };
        let spec = TaskSpec { id: "t".into(), network_mode: mode, containers: vec![router, app, other], ..TaskSpec::default() };
        let address = Some(Address { ipv4: "10.0.0.3".into(), ..Address::default() });
        let attachments = plug_id(&spec, "router").map(|id| (id, Attachment { address, ..Attachment::default() }));
        Facts { spec: Arc::new(spec), images: BTreeMap::new(), attachments: attachments.into_iter().collect() }
    }

    fn check(mode: NetworkMode, expected: Expect) {
        let facts = facts(mode);
        let line = |container: &ContainerSpec| {
            let variables = environment(&facts, container).into_iter().map(|(name, value)| format!(" {name}={value}"));
            format!("{}:{}\n", container.name, variables.collect::<String>())
        };
        expected.assert_eq(&facts.spec.containers.iter().map(line).collect::<String>());
    }

    #[test]
    fn senders_are_told_where_the_router_listens() {
        check(
            NetworkMode::Bridge,
            expect![[r#"
                router: FLUENT_UID=0
                app: FLUENT_HOST=10.0.0.3 FLUENT_PORT=24224
                other:
            "#]],
        );
        check(
            NetworkMode::Awsvpc,
            expect![[r#"
                router: FLUENT_UID=0
                app: FLUENT_HOST=127.0.0.1 FLUENT_PORT=24224
                other:
            "#]],
        );
        check(
            NetworkMode::Host,
            expect![[r#"
                router: FLUENT_UID=0
                app:
                other:
            "#]],
        );
    }

    #[test]
    fn a_router_finds_its_configuration_and_leaves_nothing() {
        let data = tempfile::tempdir().unwrap();
        let firelens = Firelens::new(data.path());
        let spec = facts(NetworkMode::Bridge).spec;
        let (router, how) = (&spec.containers[0], spec.containers[0].firelens.as_ref().unwrap());
        firelens.prepare(&spec, router, how, None).unwrap();
        firelens.prepare(&spec, router, how, Some(b"own")).unwrap();
        let binds = firelens.binds(&spec, how);
        assert!(binds.iter().all(|bind| bind.source.exists()), "{binds:?}");
        assert_eq!(firelens.socket("t").parent().unwrap(), binds[1].source);
        let targets: Vec<&str> = binds.iter().map(|bind| bind.target.as_str()).collect();
        assert_eq!(targets, ["/fluentd/etc/fluent.conf", "/var/run/"]);
        firelens.remove(&spec).unwrap();
        firelens.remove(&spec).unwrap();
        assert!(!binds[0].source.exists());
    }
}
