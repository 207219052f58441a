//! A task definition: AWS's own shape, stored whole because AWS gives it back whole.

mod attributes;
pub mod check;
mod compatibility;
mod defaults;
mod forget;
mod ops;
mod register;
pub mod resources;
#[cfg(test)]
mod tests;

pub use forget::Deletion;
pub use ops::*;
pub use register::register_task_definition;

use crate::arn;
use api_ecs as api;
use base::{Arn, Scope};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::{Image, Index, Key, Record};

/// Index of the revisions whose deletion was asked for.
const DELETING: &str = "deleting";

/// One revision. Written by register, deregister and delete; never forgotten while anything names it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TaskDefinition {
    pub scope: Scope,
    pub family: String,
    pub revision: i32,
    pub definition: api::TaskDefinition,
    pub tags: Vec<api::Tag>,
}

/// The last revision a family ever had, so that none is used again, also after deletes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Family {
    pub scope: Scope,
    pub name: String,
    pub last_revision: i32,
}

impl TaskDefinition {
    pub fn arn(&self) -> String {
        arn(&self.scope, &self.family, self.revision)
    }

    pub fn is_active(&self) -> bool {
        self.definition.status == Some(api::TaskDefinitionStatus::Active)
    }
}

/// What `family` (its latest ACTIVE revision), `family:revision` or an ARN of either means. A revision may be INACTIVE: it is
/// still described and still runs in services that have it, so whoever starts new tasks asks `is_active`.
pub fn resolve<'a>(image: &'a Image, scope: &Scope, given: &str) -> Result<&'a TaskDefinition, api::Error> {
    let (family, revision) = arn::family_and_revision(scope, given)?;
    let found = match revision {
        Some(revision) => image.get(key(scope, family, revision_number(revision)?).as_str()),
        None => latest_active(image, scope, family),
    };
    found.ok_or_else(|| api::Error::client("TaskDefinition not found."))
}

/// The row itself, shared.
pub fn resolve_arc(image: &Image, scope: &Scope, given: &str) -> Result<Arc<TaskDefinition>, api::Error> {
    let definition = resolve(image, scope, given)?;
    let key = key(scope, &definition.family, definition.revision);
    image.get_arc(key.as_str()).ok_or_else(|| api::Error::client("TaskDefinition not found."))
}

pub fn latest_active<'a>(image: &'a Image, scope: &Scope, family: &str) -> Option<&'a TaskDefinition> {
    revisions(image, scope, family).filter(|definition| definition.is_active()).last()
}

/// Every revision of a family, oldest first.
pub fn revisions<'a>(image: &'a Image, scope: &Scope, family: &str) -> impl Iterator<Item = &'a TaskDefinition> {
    image.by("family", format!("{scope}/{family}"))
}

fn revision_number(text: &str) -> Result<i32, api::Error> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| api::Error::invalid_parameter(format!("Invalid revision number. Number: {text}")))
}

pub fn arn(scope: &Scope, family: &str, revision: i32) -> String {
    Arn::new(scope, "ecs", format!("task-definition/{family}:{revision}")).to_string()
}

/// Revisions sort as numbers.
pub fn key(scope: &Scope, family: &str, revision: i32) -> Key {
    Key::new(format!("{scope}/{family}/{revision:07}"))
}

impl Record for TaskDefinition {
    const TABLE: &'static str = "ecs/task-definition";

    fn key(&self) -> Key {
        key(&self.scope, &self.family, self.revision)
    }

    fn indexes(&self, index: &mut Index) {
        index.add("family", format!("{}/{}", self.scope, self.family));
        if self.definition.status == Some(api::TaskDefinitionStatus::DeleteInProgress) {
            index.add(DELETING, "");
        }
    }
}

impl Record for Family {
    const TABLE: &'static str = "ecs/family";

    fn key(&self) -> Key {
        Key::new(format!("{}/{}", self.scope, self.name))
    }
}
