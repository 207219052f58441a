//! DescribeParameters: what is known of parameters but their values, and the filters that pick some.

use super::{Parameter, Version};
use api_ssm as api;
use api_ssm::{Error, ParameterStringFilter, ParameterTier, ParameterType};
use kernel::Call;
use store::Image;

const MOST: i32 = 50;

pub fn describe_parameters(
    call: &mut Call,
    image: &Image,
    input: api::DescribeParametersRequest,
) -> Result<api::DescribeParametersResult, wire::Error> {
    let mut filters = input.parameter_filters.unwrap_or_default();
    filters.extend(input.filters.into_iter().flatten().map(older));
    check(&filters)?;
    let wanted = image
        .prefix::<Parameter>(&format!("{}/", call.scope))
        .filter(|parameter| filters.iter().all(|filter| matches(parameter, filter)));
    let limit = usize::try_from(input.max_results.unwrap_or(MOST)).unwrap_or_default();
    let page = kernel::page(wanted, |one| one.name.clone(), limit, input.next_token.as_deref());
    let (page, next_token) = page.map_err(|_| Error::invalid_next_token("The specified token isn't valid."))?;
    Ok(api::DescribeParametersResult { parameters: Some(page.into_iter().map(view).collect()), next_token })
}

/// The first kind of filters there was: names by their beginning, the rest as it is.
fn older(filter: api::ParametersFilter) -> ParameterStringFilter {
    let key = filter.key.map(|key| key.as_str().to_owned());
    let option = if key.as_deref() == Some("Name") { "BeginsWith" } else { "Equals" };
    ParameterStringFilter { key, option: Some(option.to_owned()), values: filter.values }
}

/// Keys are the model's, refused on the wire; which options they take is not in it.
pub fn check(filters: &[ParameterStringFilter]) -> Result<(), Error> {
    for filter in filters {
        let key = filter.key.as_deref().unwrap_or_default();
        let options: &[&str] = match key {
            "Name" => &["Equals", "BeginsWith", "Contains"],
            "Path" => &["OneLevel", "Recursive"],
            _ => &["Equals", "BeginsWith"],
        };
        let option = filter.option.as_deref().unwrap_or(options[0]);
        if !options.contains(&option) {
            return Err(Error::invalid_filter_option(format!(
                "The following filter option is not valid: {option}. Valid options include: [{}].",
                options.join(", ")
            )));
        }
        if filter.values.as_ref().is_none_or(Vec::is_empty) && !key.starts_with("tag:") {
            return Err(Error::invalid_filter_value(format!(
                "The following filter values are missing : null for filter key {key}"
            )));
        }
    }
    Ok(())
}

pub fn matches(parameter: &Parameter, filter: &ParameterStringFilter) -> bool {
    let (newest, key) = (parameter.newest(), filter.key.as_deref().unwrap_or_default());
    let option = filter.option.as_deref().unwrap_or_default();
    let values = filter.values.as_deref().unwrap_or_default();
    let any = |text: &str| values.iter().any(|value| compare(text, option, value));
    match key {
        // A filter on names takes them with or without the slash they begin with.
        "Name" => any(&parameter.name) || parameter.name.strip_prefix('/').is_some_and(any),
        "Path" => values.iter().any(|path| is_below(&parameter.name, path, option == "Recursive")),
        "Type" => any(&newest.kind),
        "KeyId" => newest.key_id.as_deref().is_some_and(any),
        "Tier" => any(&newest.tier),
        "DataType" => any(&newest.data_type),
        "Label" => parameter.versions.iter().flat_map(|version| &version.labels).any(|label| any(label)),
        tag => tag
            .strip_prefix("tag:")
            .is_some_and(|name| parameter.tags.get(name).is_some_and(|value| values.is_empty() || any(value))),
    }
}

fn compare(text: &str, option: &str, value: &str) -> bool {
    match option {
        "BeginsWith" => text.starts_with(value),
        "Contains" => text.contains(value),
        _ => text == value,
    }
}

/// `/a` has `/a/b`, and recursively `/a/b/c`; `/` has what has no path as well.
pub fn is_below(name: &str, path: &str, recursive: bool) -> bool {
    let path = path.trim_end_matches('/');
    let rest = match (name.strip_prefix(path).and_then(|rest| rest.strip_prefix('/')), path) {
        (None, "") => Some(name),
        (rest, _) => rest,
    };
    rest.is_some_and(|rest| recursive || !rest.contains('/'))
}

fn view(parameter: &Parameter) -> api::ParameterMetadata {
    let newest = parameter.newest();
    api::ParameterMetadata {
        name: Some(parameter.name.clone()),
        arn: Some(parameter.arn()),
        r#type: Some(ParameterType::from(newest.kind.as_str())),
        key_id: newest.key_id.clone(),
        last_modified_date: Some(newest.at.into()),
        last_modified_user: Some(newest.by.clone()),
        description: newest.description.clone(),
        allowed_pattern: newest.allowed_pattern.clone(),
        version: Some(newest.number),
        tier: Some(ParameterTier::from(newest.tier.as_str())),
        policies: Some(policies(newest)),
        data_type: Some(newest.data_type.clone()),
    }
}

/// Kept and shown; none of them is carried out.
pub fn policies(version: &Version) -> Vec<api::ParameterInlinePolicy> {
    let given: Vec<serde_json::Value> =
        version.policies.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    given
        .iter()
        .map(|policy| api::ParameterInlinePolicy {
            policy_text: Some(policy.to_string()),
            policy_type: policy["Type"].as_str().map(str::to_owned),
            policy_status: Some("Pending".to_owned()),
        })
        .collect()
}
