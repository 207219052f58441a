//! DescribeTaskDefinition, the two lists, deregister and delete.

use super::{TaskDefinition, key, resolve};
use crate::arn;
use crate::paging::page;
use api_ecs as api;
use api_ecs::{Error, TaskDefinitionFamilyStatus, TaskDefinitionStatus};
use base::Scope;
use kernel::Call;
use std::collections::BTreeMap;
use store::{Image, Tx};

pub fn describe_task_definition(
    call: &mut Call,
    image: &Image,
    input: api::DescribeTaskDefinitionRequest,
) -> Result<api::DescribeTaskDefinitionResponse, Error> {
    let given = input.task_definition.unwrap_or_default();
    let unknown = |_| Error::client("Unable to describe task definition.");
    let found = resolve(image, &call.scope, &given).map_err(unknown)?;
    let with_tags = input.include.iter().flatten().any(|field| *field == api::TaskDefinitionField::Tags);
    let tags = if with_tags { found.tags.clone() } else { Vec::new() };
    Ok(api::DescribeTaskDefinitionResponse { task_definition: Some(found.definition.clone()), tags: Some(tags) })
}

/// By family, then by revision.
pub fn list_task_definitions(
    call: &mut Call,
    image: &Image,
    input: api::ListTaskDefinitionsRequest,
) -> Result<api::ListTaskDefinitionsResponse, Error> {
    let status = input.status.unwrap_or(TaskDefinitionStatus::Active);
    let prefix = format!("{}/{}", call.scope, input.family_prefix.map(|family| family + "/").unwrap_or_default());
    let found = image.prefix::<TaskDefinition>(&prefix).filter(|one| one.definition.status.as_ref() == Some(&status));
    let mut found: Vec<&TaskDefinition> = found.collect();
    // Descending pages walk the same names from the other end, so their tokens name what sorts there.
    let descending = input.sort == Some(api::SortOrder::Desc);
    let name_of = |one: &&TaskDefinition| sort_name(one, descending);
    found.sort_by_cached_key(name_of);
    let page = page(found, name_of, input.max_results, input.next_token.as_deref())?;
    let arns = page.items.into_iter().map(TaskDefinition::arn).collect();
    Ok(api::ListTaskDefinitionsResponse { task_definition_arns: Some(arns), next_token: page.next_token })
}

/// Sorts ascending whatever the order asked for: descending, each byte and the revision count down.
fn sort_name(definition: &TaskDefinition, descending: bool) -> String {
    if !descending {
        return format!("{} {:07}", definition.family, definition.revision);
    }
    let counting_down: String = definition.family.bytes().map(|byte| format!("{:02x}", 0xff - byte)).collect();
    format!("{counting_down}zz {:07}", 9_999_999 - definition.revision)
}

pub fn list_task_definition_families(
    call: &mut Call,
    image: &Image,
    input: api::ListTaskDefinitionFamiliesRequest,
) -> Result<api::ListTaskDefinitionFamiliesResponse, Error> {
    let status = input.status.unwrap_or(TaskDefinitionFamilyStatus::All);
    let families = families(image, &call.scope, &input.family_prefix.unwrap_or_default());
    let wanted = families.into_iter().filter(|(_, active)| match status {
        TaskDefinitionFamilyStatus::Active => *active,
        TaskDefinitionFamilyStatus::Inactive => !*active,
        _ => true,
    });
    let page = page(wanted.map(|(family, _)| family), |family| family.clone(), input.max_results, input.next_token.as_deref())?;
    Ok(api::ListTaskDefinitionFamiliesResponse { families: Some(page.items), next_token: page.next_token })
}

/// A family is ACTIVE while one of its revisions is.
fn families(image: &Image, scope: &Scope, prefix: &str) -> BTreeMap<String, bool> {
    let mut families = BTreeMap::new();
    for definition in image.prefix::<TaskDefinition>(&format!("{scope}/{prefix}")) {
        *families.entry(definition.family.clone()).or_default() |= definition.is_active();
    }
    families
}

pub fn deregister_task_definition(
    call: &mut Call,
    tx: &mut Tx,
    input: api::DeregisterTaskDefinitionRequest,
) -> Result<api::DeregisterTaskDefinitionResponse, Error> {
    let given = input.task_definition.unwrap_or_default();
    if arn::family_and_revision(&call.scope, &given)?.1.is_none() {
        return Err(Error::client("Revision is missing."));
    }
    let unknown = |error: Error| match error {
        Error::Client { .. } => Error::client("Unable to describe task definition."),
        other => other,
    };
    let mut definition = resolve(tx, &call.scope, &given).map_err(unknown)?.clone();
    if definition.is_active() {
        definition.definition.status = Some(TaskDefinitionStatus::Inactive);
        definition.definition.deregistered_at = Some(call.now.into());
        tx.put(definition.clone());
    }
    Ok(api::DeregisterTaskDefinitionResponse { task_definition: Some(definition.definition) })
}

/// Marks them; `delete` forgets them once nothing names them.
pub fn delete_task_definitions(
    call: &mut Call,
    tx: &mut Tx,
    input: api::DeleteTaskDefinitionsRequest,
) -> Result<api::DeleteTaskDefinitionsResponse, Error> {
    let given = input.task_definitions.unwrap_or_default();
    match given.len() {
        0 => return Err(Error::invalid_parameter("size of TaskDefinition references list must be greater than 0")),
        1..=10 => {}
        _ => return Err(Error::invalid_parameter("Size of TaskDefinition references list cannot exceed 10")),
    }
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for one in given {
        match delete(call, tx, &one) {
            Ok(definition) => deleted.push(definition),
            Err(reason) => failures.push(api::Failure { arn: Some(one), reason: Some(reason.to_owned()), detail: None }),
        }
    }
    Ok(api::DeleteTaskDefinitionsResponse { task_definitions: Some(deleted), failures: Some(failures) })
}

fn delete(call: &Call, tx: &mut Tx, given: &str) -> Result<api::TaskDefinition, &'static str> {
    let named =
        arn::family_and_revision(&call.scope, given).ok().and_then(|(family, revision)| Some((family, revision?.parse().ok()?)));
    let Some((family, revision)) = named else {
        return Err("The specified task definition identifier is invalid. Specify a valid name or ARN and try again.");
    };
    let Some(mut definition) = tx.get::<TaskDefinition>(key(&call.scope, family, revision).as_str()).cloned() else {
        return Err("The specified task definition does not exist. Specify a valid account, family, revision and try again.");
    };
    if definition.is_active() {
        return Err("The specified task definition is still in ACTIVE status. Please deregister the target and try again.");
    }
    if definition.definition.status != Some(TaskDefinitionStatus::DeleteInProgress) {
        definition.definition.status = Some(TaskDefinitionStatus::DeleteInProgress);
        definition.definition.delete_requested_at = Some(call.now.into());
        tx.put(definition.clone());
    }
    Ok(definition.definition)
}
