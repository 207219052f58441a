//! What containers refer to, as a node in this process has it: secrets straight from Secrets Manager and Parameter Store, objects
//! from where this server's S3 is. Says why something is not there in the stock agent's words (`agent/asm`, `agent/ssm`); never
//! says a value.

use crate::s3::S3;
use agent::References as AgentReferences;
use async_trait::async_trait;
use base::{Arn, Scope};
use kernel::Plane;
use seal::Key;
use secretsmanager::Reference;
use workload::{Secret, TaskSpec};

pub struct References {
    pub plane: Plane,
    pub key: Key,
    pub s3: S3,
}

const CAPABILITIES: [&str; 7] = [
    "ecs.capability.secrets.asm.environment-variables",
    "ecs.capability.secrets.ssm.environment-variables",
    "ecs.capability.secrets.asm.bootstrap.log-driver",
    "ecs.capability.secrets.ssm.bootstrap.log-driver",
    "ecs.capability.private-registry-authentication.secretsmanager",
    "ecs.capability.env-files.s3",
    "ecs.capability.firelens.options.config.s3",
];

#[async_trait]
impl AgentReferences for References {
    fn capabilities(&self) -> &'static [&'static str] {
        &CAPABILITIES
    }

    async fn secret(&self, task: &TaskSpec, value_from: &str) -> Result<Secret, String> {
        let scope = scope(task);
        let value = match value_from.parse::<Reference>() {
            Ok(reference) => self.asm(&scope, &reference),
            Err(_) => self.parameter(&scope, value_from),
        };
        value.map(Secret)
    }

    async fn object(&self, _task: &TaskSpec, arn: &str) -> Result<Vec<u8>, String> {
        self.s3.get(arn).await.map_err(|error| format!("{arn}: {error}"))
    }
}

impl References {
    fn asm(&self, scope: &Scope, reference: &Reference) -> Result<String, String> {
        let value = secretsmanager::resolve(&self.key, &self.plane.image(), scope, reference);
        value.map_err(|why| format!("unable to retrieve secret from asm: {}", asm_sentence(scope, reference, why)))
    }

    fn parameter(&self, scope: &Scope, name: &str) -> Result<String, String> {
        let value = ssm::resolve(&self.key, &self.plane.image(), scope, name);
        value.map_err(|why| {
            let region = &scope.region;
            let what = match why {
                ssm::Unresolved::Missing => "invalid parameters",
                ssm::Unresolved::Unreadable => "not sealed with this server's key",
            };
            format!(
                "unable to retrieve secrets from ssm: Fetching secret data from SSM Parameter Store in {region}: {what}: {name}"
            )
        })
    }
}

fn asm_sentence(scope: &Scope, reference: &Reference, why: secretsmanager::Unresolved) -> String {
    use secretsmanager::Unresolved;
    let arn = &reference.arn;
    match why {
        Unresolved::Refused { code, message } => format!(
            "The task can't retrieve the secret with ARN '{arn}' from AWS Secrets Manager. Check whether the secret exists in the \
             specified Region. {code}: Fetching secret data from AWS Secrets Manager in region {}: secret {arn}: {code}: {message}",
            scope.region
        ),
        Unresolved::NoText => format!("secret {arn} is binary, and a container takes text only"),
        Unresolved::NoJson => format!("unable to unmarshal secret {arn}: it is not a JSON object"),
        Unresolved::NoMember { json_key } => {
            format!("retrieved secret from Secrets Manager did not contain json key {json_key}")
        }
    }
}

/// Where names without an account and a region are looked for.
fn scope(task: &TaskSpec) -> Scope {
    let account = task.arn.parse::<Arn>().map(|arn| arn.account).unwrap_or_default();
    Scope::new(account, task.region.clone())
}
