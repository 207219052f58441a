//! GetParameter, GetParameters and GetParametersByPath.

use super::describe::{self, matches};
use super::name::{Selector, split};
use super::{Parameter, Version, find, invalid, not_found};
use api_ssm as api;
use api_ssm::{Error, ParameterType};
use kernel::Call;
use seal::Key;
use std::collections::BTreeSet;
use store::Image;

/// A page of GetParametersByPath at most, and if none is asked for.
const MOST: i32 = 10;

pub fn get_parameter(
    seal: &Key,
    call: &mut Call,
    image: &Image,
    input: api::GetParameterRequest,
) -> Result<api::GetParameterResult, wire::Error> {
    let parameter = get(seal, call, image, input.name.as_deref().unwrap_or_default(), input.with_decryption)?;
    Ok(api::GetParameterResult { parameter: Some(parameter) })
}

pub fn get_parameters(
    seal: &Key,
    call: &mut Call,
    image: &Image,
    input: api::GetParametersRequest,
) -> Result<api::GetParametersResult, wire::Error> {
    let names = input.names.unwrap_or_default();
    if names.iter().collect::<BTreeSet<_>>().len() < names.len() {
        return Err(invalid("Duplicate parameters are not allowed in the Names list."));
    }
    let (mut parameters, mut unknown) = (Vec::new(), Vec::new());
    for name in names {
        match get(seal, call, image, &name, input.with_decryption) {
            Ok(parameter) => parameters.push(parameter),
            Err(error) if error.code.starts_with("Parameter") => unknown.push(name),
            Err(error) => return Err(error),
        }
    }
    Ok(api::GetParametersResult { parameters: Some(parameters), invalid_parameters: Some(unknown) })
}

pub fn get_parameters_by_path(
    seal: &Key,
    call: &mut Call,
    image: &Image,
    input: api::GetParametersByPathRequest,
) -> Result<api::GetParametersByPathResult, wire::Error> {
    let path = input.path.as_deref().unwrap_or_default();
    if !path.starts_with('/') {
        return Err(invalid(
            "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \
             \"/\". It can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). It must use only letters, numbers, or the \
             following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if \
             specified, must use the forward slash symbol \"/\". Valid example: /get/parameters2-/by1./path0_.",
        ));
    }
    let filters = input.parameter_filters.unwrap_or_default();
    describe::check(&filters)?;
    let recursive = input.recursive == Some(true);
    let below = image
        .prefix::<Parameter>(&format!("{}/", call.scope))
        .filter(|one| describe::is_below(&one.name, path, recursive) && filters.iter().all(|filter| matches(one, filter)));
    let limit = usize::try_from(input.max_results.unwrap_or(MOST)).unwrap_or_default();
    let page = kernel::page(below, |one| one.name.clone(), limit, input.next_token.as_deref());
    let (page, next_token) = page.map_err(|_| Error::invalid_next_token("The specified token isn't valid."))?;
    let view = |one: &Parameter| view(seal, one, one.newest(), None, input.with_decryption);
    Ok(api::GetParametersByPathResult { parameters: Some(page.into_iter().map(view).collect::<Result<_, _>>()?), next_token })
}

fn get(
    seal: &Key,
    call: &Call,
    image: &Image,
    given: &str,
    with_decryption: Option<bool>,
) -> Result<api::Parameter, wire::Error> {
    let (name, text, selector) = split(given);
    let parameter = find(image, &call.scope, name).ok_or_else(|| not_found(name))?;
    let version = parameter.selected(&selector).ok_or_else(|| no_version(parameter, &selector))?;
    view(seal, parameter, version, text, with_decryption)
}

pub fn no_version(parameter: &Parameter, selector: &Selector) -> wire::Error {
    let what = match selector {
        Selector::Newest => unreachable!("there is always a newest version"),
        Selector::Version(number) => format!("version {number}"),
        Selector::Label(label) => format!("label {label}"),
    };
    let name = &parameter.name;
    let sentence = format!("Systems Manager could not find {what} of {name}. Verify the version and try again.");
    Error::parameter_version_not_found(sentence).into()
}

fn view(
    seal: &Key,
    parameter: &Parameter,
    version: &Version,
    selector: Option<&str>,
    with_decryption: Option<bool>,
) -> Result<api::Parameter, wire::Error> {
    Ok(api::Parameter {
        name: Some(parameter.name.clone()),
        r#type: Some(ParameterType::from(version.kind.as_str())),
        value: Some(shown(seal, parameter, version, with_decryption)?),
        version: Some(version.number),
        selector: selector.map(str::to_owned),
        last_modified_date: Some(version.at.into()),
        arn: Some(parameter.arn()),
        data_type: Some(version.data_type.clone()),
        ..Default::default()
    })
}

/// What is secure is shown as it is kept unless it is asked for.
pub fn shown(seal: &Key, parameter: &Parameter, version: &Version, with_decryption: Option<bool>) -> Result<String, wire::Error> {
    let secure = version.kind == ParameterType::SecureString.as_str();
    if secure && with_decryption != Some(true) {
        return Ok(version.value.as_str().to_owned());
    }
    parameter.value(seal, version)
}
