//! A task definition: AWS's own shape, stored whole because AWS gives it back whole.

use api_ecs as api;
use base::{Arn, Scope};
use serde::{Deserialize, Serialize};
use store::{Index, Key, Record};

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
    }
}

impl Record for Family {
    const TABLE: &'static str = "ecs/family";

    fn key(&self) -> Key {
        Key::new(format!("{}/{}", self.scope, self.name))
    }
}
