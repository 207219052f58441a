//! RegisterTaskDefinition.

use super::check::{self, Definition};
use super::{Family, TaskDefinition, arn, attributes, compatibility, defaults};
use api_ecs as api;
use base::Scope;
use kernel::Call;
use store::{Record, Tx};

/// ECS's quota of revisions per family.
const REVISIONS: i32 = 1_000_000;

pub fn register_task_definition(
    call: &mut Call,
    tx: &mut Tx,
    mut request: api::RegisterTaskDefinitionRequest,
) -> Result<api::RegisterTaskDefinitionResponse, api::Error> {
    check::check(&request)?;
    defaults::fill(&mut request);
    let tags = request.tags.take().unwrap_or_default();
    let family = request.family.clone().unwrap_or_default();
    let revision = next_revision(tx, &call.scope, &family)?;
    let definition = described(call, request, &family, revision);
    tx.put(TaskDefinition { scope: call.scope.clone(), family, revision, definition: definition.clone(), tags: tags.clone() });
    Ok(api::RegisterTaskDefinitionResponse { task_definition: Some(definition), tags: Some(tags) })
}

fn described(call: &Call, request: api::RegisterTaskDefinitionRequest, family: &str, revision: i32) -> api::TaskDefinition {
    let definition = Definition::of(&request);
    let (compatibilities, attributes) = (compatibility::compatibilities(&definition), attributes::required(&definition));
    api::TaskDefinition {
        task_definition_arn: Some(arn(&call.scope, family, revision)),
        revision: Some(revision),
        status: Some(api::TaskDefinitionStatus::Active),
        compatibilities: Some(compatibilities),
        requires_attributes: Some(attributes),
        registered_at: Some(call.now.into()),
        registered_by: Some(call.caller.arn.clone()),
        ..request.project()
    }
}

/// Never one that was used before, also after deletes.
fn next_revision(tx: &mut Tx, scope: &Scope, name: &str) -> Result<i32, api::Error> {
    let mut family = Family { scope: scope.clone(), name: name.to_owned(), last_revision: 0 };
    if let Some(known) = tx.get::<Family>(family.key().as_str()) {
        family = known.clone();
    }
    if family.last_revision >= REVISIONS {
        return Err(api::Error::client(format!("The maximum number of revisions of the family, {REVISIONS}, is reached.")));
    }
    family.last_revision += 1;
    let revision = family.last_revision;
    tx.put(family);
    Ok(revision)
}
