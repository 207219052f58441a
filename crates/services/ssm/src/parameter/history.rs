//! GetParameterHistory.

use super::{Parameter, Version, describe, find, get, not_found};
use api_ssm as api;
use api_ssm::{Error, ParameterTier, ParameterType};
use kernel::Call;
use seal::Key;
use store::Image;

const MOST: i32 = 50;

pub fn get_parameter_history(
    seal: &Key,
    call: &mut Call,
    image: &Image,
    input: api::GetParameterHistoryRequest,
) -> Result<api::GetParameterHistoryResult, wire::Error> {
    let name = input.name.unwrap_or_default();
    let parameter = find(image, &call.scope, &name).ok_or_else(|| not_found(&name))?;
    let limit = usize::try_from(input.max_results.unwrap_or(MOST)).unwrap_or_default();
    // Numbers as text of one length are in the order of their numbers.
    let number = |version: &&Version| format!("{:020}", version.number);
    let page = kernel::page(&parameter.versions, number, limit, input.next_token.as_deref());
    let (page, next_token) = page.map_err(|_| Error::invalid_next_token("The specified token isn't valid."))?;
    let view = |version: &Version| view(seal, parameter, version, input.with_decryption);
    Ok(api::GetParameterHistoryResult { parameters: Some(page.into_iter().map(view).collect::<Result<_, _>>()?), next_token })
}

fn view(
    seal: &Key,
    parameter: &Parameter,
    version: &Version,
    with_decryption: Option<bool>,
) -> Result<api::ParameterHistory, wire::Error> {
    Ok(api::ParameterHistory {
        name: Some(parameter.name.clone()),
        r#type: Some(ParameterType::from(version.kind.as_str())),
        key_id: version.key_id.clone(),
        last_modified_date: Some(version.at.into()),
        last_modified_user: Some(version.by.clone()),
        description: version.description.clone(),
        value: Some(get::shown(seal, parameter, version, with_decryption)?),
        allowed_pattern: version.allowed_pattern.clone(),
        version: Some(version.number),
        labels: Some(version.labels.iter().cloned().collect()),
        tier: Some(ParameterTier::from(version.tier.as_str())),
        policies: Some(describe::policies(version)),
        data_type: Some(version.data_type.clone()),
    })
}
