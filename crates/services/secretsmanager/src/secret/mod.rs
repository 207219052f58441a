//! A secret: one name, versions of its value, and the stages that say which of them is meant.

mod create;
mod delete;
mod get;
mod list;
pub mod resolve;
mod stages;
mod update;
mod value;
mod view;

pub use create::create_secret;
pub use delete::{Deletion, delete_secret, restore_secret};
pub use get::{batch_get_secret_value, get_secret_value};
pub use list::{list_secret_version_ids, list_secrets};
pub use stages::update_secret_version_stage;
pub use update::{put_secret_value, update_secret};
pub use view::describe_secret;

use api_secretsmanager::Error;
use base::{Arn, Scope, Time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use store::{Image, Key, Record};
use value::Value;

pub const CURRENT: &str = "AWSCURRENT";
pub const PREVIOUS: &str = "AWSPREVIOUS";

/// Written by the operations on secrets, tags and policies; lives until its deletion is due.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Secret {
    pub scope: Scope,
    pub name: String,
    /// Six characters that make the ARN of a secret another one than that of its predecessor of the same name.
    pub suffix: String,
    pub description: Option<String>,
    pub kms_key_id: Option<String>,
    pub kind: Option<String>,
    pub policy: Option<String>,
    pub tags: BTreeMap<String, String>,
    /// Oldest first; none if it was made without a value.
    pub versions: Vec<Version>,
    pub created_at: Time,
    pub changed_at: Time,
    /// To the day.
    pub accessed_at: Option<Time>,
    pub deletion: Option<Due>,
}

/// When its deletion was asked for and when it takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    pub asked_at: Time,
    pub at: Time,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Version {
    /// The token of the request that made it.
    pub id: String,
    pub value: Value,
    /// None: deprecated.
    pub stages: BTreeSet<String>,
    pub created_at: Time,
    pub accessed_at: Option<Time>,
}

impl Secret {
    pub fn arn(&self) -> String {
        format!("{}-{}", self.partial_arn(), self.suffix)
    }

    fn partial_arn(&self) -> String {
        Arn::new(&self.scope, "secretsmanager", format!("secret:{}", self.name)).to_string()
    }

    pub fn version(&self, id: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.id == id)
    }

    pub fn staged(&self, stage: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.stages.contains(stage))
    }
}

pub fn key(scope: &Scope, name: &str) -> Key {
    Key::new(format!("{scope}/{name}"))
}

/// The secret that `given`, a name, an ARN or an ARN without its last six characters, means. Those of other accounts are not
/// found: resource policies, by which AWS shares them, are kept only.
pub fn look<'a>(image: &'a Image, scope: &Scope, given: &str) -> Option<&'a Secret> {
    let named = |scope: &Scope, name: &str| image.get::<Secret>(key(scope, name).as_str());
    if !given.starts_with("arn:") {
        return named(scope, given);
    }
    let arn: Arn = given.parse().ok().filter(|arn: &Arn| arn.account == scope.account)?;
    let (scope, name) = (Scope::new(arn.account, arn.region), arn.resource.strip_prefix("secret:")?);
    let whole = name.rsplit_once('-').and_then(|(name, suffix)| named(&scope, name).filter(|one| one.suffix == suffix));
    whole.or_else(|| named(&scope, name)).filter(|_| arn.service == "secretsmanager")
}

pub fn find<'a>(image: &'a Image, scope: &Scope, given: &Option<String>) -> Result<&'a Secret, Error> {
    look(image, scope, given.as_deref().unwrap_or_default()).ok_or_else(not_found)
}

/// One that is not about to be deleted.
pub fn find_live<'a>(image: &'a Image, scope: &Scope, given: &Option<String>) -> Result<&'a Secret, Error> {
    let secret = find(image, scope, given)?;
    match secret.deletion {
        None => Ok(secret),
        Some(_) => {
            Err(Error::invalid_request("You can't perform this operation on the secret because it was marked for deletion."))
        }
    }
}

pub fn not_found() -> Error {
    Error::resource_not_found("Secrets Manager can't find the specified secret.")
}

impl Record for Secret {
    const TABLE: &'static str = "secretsmanager/secret";

    fn key(&self) -> Key {
        key(&self.scope, &self.name)
    }
}

#[cfg(test)]
mod tests;
