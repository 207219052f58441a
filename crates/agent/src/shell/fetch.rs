//! What containers only refer to: secrets, environment files, passwords of registries. Fetched once a task, kept in memory
//! until the task is closed, never written anywhere; after a restart of the agent fetched again only if a container is to be
//! started again.

mod environment_file;

use async_trait::async_trait;
use runtime::PrivateFile;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use workload::{ContainerSpec, FileContent, FirelensFile, RegistryAuth, Secret, TaskId, TaskSpec};

/// Where references lead to, as far as a node cares.
#[async_trait]
pub trait References: Send + Sync {
    /// Attributes of a node with these, as the stock agent names them (`agent/app/agent_capability.go`).
    fn capabilities(&self) -> &'static [&'static str];
    /// The value that `value_from` stands for. The error is what follows `unable to pull secrets or registry auth: `.
    async fn secret(&self, task: &TaskSpec, value_from: &str) -> Result<Secret, String>;
    /// The object with this ARN. The error names it.
    async fn object(&self, task: &TaskSpec, arn: &str) -> Result<Vec<u8>, String>;
}

/// Leads nowhere.
pub struct NoReferences;

const NOWHERE: &str = "this node has no way to fetch it";

#[async_trait]
impl References for NoReferences {
    fn capabilities(&self) -> &'static [&'static str] {
        &[]
    }

    async fn secret(&self, _: &TaskSpec, _: &str) -> Result<Secret, String> {
        Err(NOWHERE.to_owned())
    }

    async fn object(&self, _: &TaskSpec, _: &str) -> Result<Vec<u8>, String> {
        Err(NOWHERE.to_owned())
    }
}

/// Why something was not fetched, as users read it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("unable to pull secrets or registry auth: {0}")]
    Secret(String),
    #[error("failed to download env files: The task can't download the environment variable files from Amazon S3. {0}")]
    EnvironmentFile(String),
    #[error("unable to download firelens s3 config file: {0}")]
    RouterFile(String),
}

/// What was fetched for one container.
#[derive(Clone, Default)]
pub struct Fetched {
    pub registry_auth: Option<RegistryAuth>,
    /// Of environment files, below the container's own.
    pub environment: BTreeMap<String, String>,
    pub secrets: Vec<(String, Secret)>,
    pub files: Vec<PrivateFile>,
    /// Of a log router.
    pub router_file: Option<Vec<u8>>,
}

#[derive(Clone)]
pub struct Fetcher {
    references: Arc<dyn References>,
    fetched: Arc<Mutex<BTreeMap<TaskId, BTreeMap<String, Fetched>>>>,
}

impl Fetcher {
    pub fn new(references: Arc<dyn References>) -> Fetcher {
        Fetcher { references, fetched: Arc::default() }
    }

    /// Everything that the task's containers refer to, or nothing.
    pub async fn fetch(&self, spec: &TaskSpec) -> Result<(), Error> {
        let mut all = BTreeMap::new();
        for container in &spec.containers {
            all.insert(container.name.clone(), self.fetch_for(spec, container).await?);
        }
        self.fetched().insert(spec.id.clone(), all);
        Ok(())
    }

    pub fn of(&self, task: &str, container: &str) -> Fetched {
        self.fetched().get(task).and_then(|containers| containers.get(container)).cloned().unwrap_or_default()
    }

    pub fn forget(&self, task: &str) {
        self.fetched().remove(task);
    }

    fn fetched(&self) -> std::sync::MutexGuard<'_, BTreeMap<TaskId, BTreeMap<String, Fetched>>> {
        // Whoever panicked was between two whole states.
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch_for(&self, spec: &TaskSpec, container: &ContainerSpec) -> Result<Fetched, Error> {
        let mut fetched = Fetched::default();
        if let Some(value_from) = &container.registry_credentials {
            fetched.registry_auth = Some(credentials(value_from, &self.secret(spec, value_from).await?)?);
        }
        for arn in &container.environment_files {
            let object = self.references.object(spec, arn).await.map_err(Error::EnvironmentFile)?;
            environment_file::add(&mut fetched.environment, &object);
        }
        for secret in &container.secrets {
            fetched.secrets.push((secret.name.clone(), self.secret(spec, &secret.value_from).await?));
        }
        for file in &container.files {
            let content = match &file.content {
                FileContent::Text(text) => Secret(text.clone()),
                FileContent::Secret(value_from) => self.secret(spec, value_from).await?,
            };
            fetched.files.push(PrivateFile { target: file.container_path.clone(), content });
        }
        if let Some(FirelensFile::S3(arn)) = container.firelens.as_ref().and_then(|firelens| firelens.config_file.as_ref()) {
            fetched.router_file = Some(self.references.object(spec, arn).await.map_err(Error::RouterFile)?);
        }
        Ok(fetched)
    }

    async fn secret(&self, spec: &TaskSpec, value_from: &str) -> Result<Secret, Error> {
        self.references.secret(spec, value_from).await.map_err(Error::Secret)
    }
}

/// `{"username": …, "password": …}`, as ECS has it for private registries. Its words are the stock agent's
/// (`agent/asm/asm.go`).
fn credentials(value_from: &str, secret: &Secret) -> Result<RegistryAuth, Error> {
    let invalid = |what: &str| Error::Secret(format!("unable to retrieve secret from asm: {what} for secret {value_from}"));
    let value: serde_json::Value =
        serde_json::from_str(&secret.0).map_err(|_| invalid("unable to unmarshal the value into username and password"))?;
    let member = |name: &str| value[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let username = member("username").ok_or_else(|| invalid("invalid secret value, username must not be empty,"))?;
    let password = member("password").ok_or_else(|| invalid("invalid secret value, password must not be empty,"))?;
    Ok(RegistryAuth { username, password })
}

#[cfg(test)]
mod tests;
