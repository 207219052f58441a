//! ListSecrets with its filters, and ListSecretVersionIds.

use super::{Secret, Version, find, view};
use api_secretsmanager as api;
use api_secretsmanager::{Error, FilterNameStringType, SortByType, SortOrderType};
use base::Scope;
use kernel::Call;
use store::Image;

const MOST: i32 = 100;

pub fn list_secrets(call: &mut Call, image: &Image, input: api::ListSecretsRequest) -> Result<api::ListSecretsResponse, Error> {
    let filters = input.filters.unwrap_or_default();
    let deleted_too = input.include_planned_deletion == Some(true);
    let mut secrets: Vec<&Secret> =
        matching(image, &call.scope, &filters).filter(|one| deleted_too || one.deletion.is_none()).collect();
    secrets.sort_by_key(|secret| position(secret, input.sort_by.as_ref()));
    if input.sort_order == Some(SortOrderType::Desc) {
        secrets.reverse();
    }
    let (page, next_token) = page(secrets, input.max_results.unwrap_or(MOST), input.next_token.as_deref())?;
    Ok(api::ListSecretsResponse { secret_list: Some(page.into_iter().map(view::entry).collect()), next_token })
}

/// Times as text of one length are in the order of the times.
fn position(secret: &Secret, by: Option<&SortByType>) -> (String, String) {
    let at = |time: base::Time| format!("{:020}", time.millis());
    let first = match by {
        Some(SortByType::Name) => String::new(),
        Some(SortByType::LastChangedDate) => at(secret.changed_at),
        Some(SortByType::LastAccessedDate) => at(secret.accessed_at.unwrap_or_default()),
        _ => at(secret.created_at),
    };
    (first, secret.name.clone())
}

/// The token is how many were given already: these lists are in orders in which names say little.
fn page<T>(items: Vec<T>, limit: i32, token: Option<&str>) -> Result<(Vec<T>, Option<String>), Error> {
    let numbered = items.into_iter().enumerate().map(|(number, item)| (format!("{number:020}"), item));
    let limit = usize::try_from(limit).unwrap_or_default();
    let page = kernel::page(numbered, |(number, _)| number.clone(), limit, token);
    let (page, next) = page.map_err(|_| Error::invalid_next_token("The NextToken value is invalid."))?;
    Ok((page.into_iter().map(|(_, item)| item).collect(), next))
}

pub fn filtered<'a>(
    image: &'a Image,
    scope: &Scope,
    filters: &[api::Filter],
    limit: i32,
    token: Option<&str>,
) -> Result<(Vec<&'a Secret>, Option<String>), Error> {
    page(matching(image, scope, filters).filter(|secret| secret.deletion.is_none()).collect(), limit, token)
}

fn matching<'a>(image: &'a Image, scope: &Scope, filters: &[api::Filter]) -> impl Iterator<Item = &'a Secret> {
    image.prefix::<Secret>(&format!("{scope}/")).filter(move |secret| filters.iter().all(|filter| matches(secret, filter)))
}

/// One of the values fits; with a `!` in front, one that does not.
fn matches(secret: &Secret, filter: &api::Filter) -> bool {
    let fits = |value: &str| has(secret, filter.key.as_ref(), value);
    filter.values.iter().flatten().any(|value| match value.strip_prefix('!') {
        Some(unwanted) => !fits(unwanted),
        None => fits(value),
    })
}

/// AWS's rules: all are prefixes, and of descriptions and of all together the case does not matter.
fn has(secret: &Secret, key: Option<&FilterNameStringType>, value: &str) -> bool {
    let lower = value.to_lowercase();
    let description = secret.description.as_deref().unwrap_or_default().to_lowercase();
    match key {
        Some(FilterNameStringType::Name) => secret.name.starts_with(value),
        Some(FilterNameStringType::Description) => words(&description).any(|word| word.starts_with(&lower)),
        Some(FilterNameStringType::TagKey) => secret.tags.keys().any(|key| key.starts_with(value)),
        Some(FilterNameStringType::TagValue) => secret.tags.values().any(|tag| tag.starts_with(value)),
        Some(FilterNameStringType::All) => {
            let tags = secret.tags.iter().flat_map(|(key, value)| [key, value]);
            let mut texts = tags.chain([&secret.name, &description]).map(|text| text.to_lowercase());
            texts.any(|text| text.contains(&lower))
        }
        // A secret lives in one region here and belongs to no service.
        _ => false,
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    std::iter::once(text).chain(text.split_whitespace())
}

pub fn list_secret_version_ids(
    call: &mut Call,
    image: &Image,
    input: api::ListSecretVersionIdsRequest,
) -> Result<api::ListSecretVersionIdsResponse, Error> {
    let secret = find(image, &call.scope, &input.secret_id)?;
    let all = input.include_deprecated == Some(true);
    let shown = secret.versions.iter().filter(|version| all || !version.stages.is_empty()).collect();
    let (page, next_token) = page(shown, input.max_results.unwrap_or(MOST), input.next_token.as_deref())?;
    let versions = Some(page.into_iter().map(version).collect());
    Ok(api::ListSecretVersionIdsResponse { versions, next_token, arn: Some(secret.arn()), name: Some(secret.name.clone()) })
}

fn version(version: &Version) -> api::SecretVersionsListEntry {
    api::SecretVersionsListEntry {
        version_id: Some(version.id.clone()),
        version_stages: Some(version.stages.iter().cloned().collect()),
        last_accessed_date: version.accessed_at.map(Into::into),
        created_date: Some(version.created_at.into()),
        kms_key_ids: None,
    }
}
