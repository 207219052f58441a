//! Labels: names of versions, each on one version of a parameter at a time.

use super::get::no_version;
use super::name::Selector;
use super::{Parameter, Version, find, not_found};
use api_ssm as api;
use api_ssm::Error;
use kernel::Call;
use store::Tx;

/// AWS's quota, of one version.
const MOST: usize = 10;

pub fn label_parameter_version(
    call: &mut Call,
    tx: &mut Tx,
    input: api::LabelParameterVersionRequest,
) -> Result<api::LabelParameterVersionResult, wire::Error> {
    let (mut parameter, number) = given(call, tx, input.name, input.parameter_version)?;
    let (labels, invalid): (Vec<_>, Vec<_>) = input.labels.unwrap_or_default().into_iter().partition(|label| is_label(label));
    for version in &mut parameter.versions {
        version.labels.retain(|label| !labels.contains(label));
    }
    let version = version(&mut parameter, number);
    version.labels.extend(labels);
    if version.labels.len() > MOST {
        let sentence =
            "A parameter version can have a maximum of ten labels. Move one or more labels to another version and try again.";
        return Err(Error::parameter_version_label_limit_exceeded(sentence).into());
    }
    tx.put(parameter);
    Ok(api::LabelParameterVersionResult { invalid_labels: Some(invalid), parameter_version: Some(number) })
}

pub fn unlabel_parameter_version(
    call: &mut Call,
    tx: &mut Tx,
    input: api::UnlabelParameterVersionRequest,
) -> Result<api::UnlabelParameterVersionResult, wire::Error> {
    let (mut parameter, number) = given(call, tx, input.name, input.parameter_version)?;
    let version = version(&mut parameter, number);
    let labels = input.labels.unwrap_or_default().into_iter();
    let (removed, invalid): (Vec<_>, Vec<_>) = labels.partition(|label| version.labels.remove(label));
    tx.put(parameter);
    Ok(api::UnlabelParameterVersionResult { removed_labels: Some(removed), invalid_labels: Some(invalid) })
}

/// The parameter, and a version that it has: the newest if none is named.
fn given(call: &Call, tx: &Tx, name: Option<String>, number: Option<i64>) -> Result<(Parameter, i64), wire::Error> {
    let name = name.unwrap_or_default();
    let parameter = find(tx, &call.scope, &name).ok_or_else(|| not_found(&name))?.clone();
    let number = number.unwrap_or(parameter.newest().number);
    match parameter.version(number) {
        Some(_) => Ok((parameter, number)),
        None => Err(no_version(&parameter, &Selector::Version(number))),
    }
}

fn version(parameter: &mut Parameter, number: i64) -> &mut Version {
    parameter.versions.iter_mut().find(|version| version.number == number).expect("it was just found")
}

/// Neither a number nor one of AWS's own.
fn is_label(label: &str) -> bool {
    let plain = label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    let lower = label.to_ascii_lowercase();
    plain && !label.starts_with(|c: char| c.is_ascii_digit()) && !lower.starts_with("aws") && !lower.starts_with("ssm")
}
