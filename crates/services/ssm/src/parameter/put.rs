//! PutParameter.

use super::{Parameter, Version, invalid, name, place};
use crate::tags;
use api_ssm as api;
use api_ssm::{Error, ParameterTier, ParameterType};
use kernel::Call;
use regex::Regex;
use seal::Key;
use std::collections::BTreeSet;
use store::Tx;

/// AWS's quotas.
const STANDARD_CHARACTERS: usize = 4096;
const ADVANCED_CHARACTERS: usize = 8192;
const VERSIONS: usize = 100;
const DEFAULT_KEY: &str = "alias/aws/ssm";

pub fn put_parameter(
    seal: &Key,
    call: &mut Call,
    tx: &mut Tx,
    input: api::PutParameterRequest,
) -> Result<api::PutParameterResult, wire::Error> {
    let given = input.name.clone().unwrap_or_default();
    let current = super::find(tx, &call.scope, &given).cloned();
    let parameter = match current {
        Some(current) => next(seal, call, current, &input)?,
        None => first(seal, call, given, &input)?,
    };
    let newest = parameter.newest();
    let result = api::PutParameterResult { version: Some(newest.number), tier: Some(ParameterTier::from(newest.tier.as_str())) };
    tx.put(parameter);
    Ok(result)
}

fn first(seal: &Key, call: &mut Call, name: String, input: &api::PutParameterRequest) -> Result<Parameter, wire::Error> {
    name::check(&name)?;
    let Some(kind) = input.r#type.clone() else {
        return Err(invalid("A parameter type is required when you create a parameter."));
    };
    let tags = tags::merged(Default::default(), input.tags.clone())?;
    let version = version(seal, call, &name, &kind, 1, input)?;
    Ok(Parameter { scope: call.scope.clone(), name, versions: vec![version], tags })
}

fn next(
    seal: &Key,
    call: &mut Call,
    mut parameter: Parameter,
    input: &api::PutParameterRequest,
) -> Result<Parameter, wire::Error> {
    if input.overwrite != Some(true) {
        let sentence = "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.";
        return Err(Error::parameter_already_exists(sentence).into());
    }
    if input.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
        return Err(invalid(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove \
             overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.",
        ));
    }
    let newest = parameter.newest();
    let kind = ParameterType::from(newest.kind.as_str());
    if input.r#type.as_ref().is_some_and(|wanted| *wanted != kind) {
        return Err(Error::hierarchy_type_mismatch("The parameter's type cannot be changed: make a new parameter.").into());
    }
    let (number, description) = (newest.number + 1, newest.description.clone());
    let added = version(seal, call, &parameter.name, &kind, number, input)?;
    parameter.versions.push(Version { description: added.description.clone().or(description), ..added });
    drop_oldest(&mut parameter)?;
    Ok(parameter)
}

/// A label protects its version from being forgotten.
fn drop_oldest(parameter: &mut Parameter) -> Result<(), Error> {
    if parameter.versions.len() <= VERSIONS {
        return Ok(());
    }
    let oldest = &parameter.versions[0];
    if !oldest.labels.is_empty() {
        return Err(Error::parameter_max_version_limit_exceeded(format!(
            "You attempted to create a new version of {} by calling the PutParameter API with the overwrite flag. Version {}, \
             the oldest version, can't be deleted because it has a label associated with it. Move the label to another version \
             of the parameter, and try again.",
            parameter.name, oldest.number
        )));
    }
    parameter.versions.remove(0);
    Ok(())
}

fn version(
    seal: &Key,
    call: &mut Call,
    name: &str,
    kind: &ParameterType,
    number: i64,
    input: &api::PutParameterRequest,
) -> Result<Version, wire::Error> {
    let value = input.value.as_deref().unwrap_or_default();
    let tier = tier(input.tier.as_ref(), value)?;
    check_value(value, input.allowed_pattern.as_deref())?;
    let secure = *kind == ParameterType::SecureString;
    if input.key_id.is_some() && !secure {
        return Err(invalid("KeyId is required for SecureString type parameter only."));
    }
    Ok(Version {
        number,
        kind: kind.as_str().to_owned(),
        value: seal.seal(&mut call.rng, &place(&call.scope, name, number), value),
        key_id: secure.then(|| input.key_id.clone().unwrap_or_else(|| DEFAULT_KEY.to_owned())),
        description: input.description.clone(),
        allowed_pattern: input.allowed_pattern.clone(),
        tier: tier.as_str().to_owned(),
        data_type: input.data_type.clone().unwrap_or_else(|| "text".to_owned()),
        policies: input.policies.clone().filter(|policies| !policies.is_empty()),
        labels: BTreeSet::new(),
        at: call.now,
        by: call.caller.arn.clone(),
    })
}

fn tier(wanted: Option<&ParameterTier>, value: &str) -> Result<ParameterTier, wire::Error> {
    let characters = value.chars().count();
    let fits = characters <= STANDARD_CHARACTERS;
    match wanted {
        Some(ParameterTier::IntelligentTiering) if fits => Ok(ParameterTier::Standard),
        Some(ParameterTier::Advanced | ParameterTier::IntelligentTiering) if characters <= ADVANCED_CHARACTERS => {
            Ok(ParameterTier::Advanced)
        }
        Some(ParameterTier::Advanced | ParameterTier::IntelligentTiering) => {
            Err(invalid("Advanced tier parameters support a maximum parameter value of 8192 characters."))
        }
        _ if fits => Ok(ParameterTier::Standard),
        _ => Err(invalid(
            "Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter value, \
             upgrade the parameter to use the advanced-parameter tier.",
        )),
    }
}

/// The sentences do not show the value.
fn check_value(value: &str, pattern: Option<&str>) -> Result<(), wire::Error> {
    if value.is_empty() {
        return Err(invalid(
            "1 validation error detected: Value at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1.",
        ));
    }
    let Some(pattern) = pattern.filter(|pattern| !pattern.is_empty()) else { return Ok(()) };
    let regex = Regex::new(&format!("^(?:{pattern})$"));
    let regex =
        regex.map_err(|_| Error::invalid_allowed_pattern("The request does not meet the regular expression requirement."))?;
    if regex.is_match(value) {
        return Ok(());
    }
    Err(Error::parameter_pattern_mismatch(format!("Parameter value, cannot be validated against allowedPattern: {pattern}"))
        .into())
}
