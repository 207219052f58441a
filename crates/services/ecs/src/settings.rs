//! Account settings: what a principal set for itself, else what the account's root set as the default, else AWS's default.

use crate::paging::page;
use api_ecs as api;
use api_ecs::{Error, SettingName, SettingType};
use base::Scope;
use kernel::Call;
use serde::{Deserialize, Serialize};
use store::{Image, Key, Record, Tx};

/// Written by the setting operations; gone when deleted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountSetting {
    pub scope: Scope,
    /// An ARN; the root's is everybody's default.
    pub principal: String,
    pub name: String,
    pub value: String,
}

impl Record for AccountSetting {
    const TABLE: &'static str = "ecs/account-setting";

    fn key(&self) -> Key {
        key(&self.scope, &self.principal, &self.name)
    }
}

fn key(scope: &Scope, principal: &str, name: &str) -> Key {
    Key::new(format!("{scope}/{principal}/{name}"))
}

/// Name, AWS's default, and every value it may have.
/// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html
const SETTINGS: &[(&str, &str, &[&str])] = &[
    ("awsvpcTrunking", "disabled", SWITCH),
    ("containerInsights", "disabled", &["enhanced", "enabled", "disabled", "on", "off"]),
    ("containerInstanceLongArnFormat", "enabled", SWITCH),
    ("defaultLogDriverMode", "non-blocking", &["blocking", "non-blocking"]),
    ("fargateEventWindows", "disabled", SWITCH),
    ("fargateFIPSMode", "disabled", SWITCH),
    ("fargateTaskRetirementWaitPeriod", "7", &["0", "7", "14"]),
    ("guardDutyActivate", "off", SWITCH),
    ("serviceLongArnFormat", "enabled", SWITCH),
    ("tagResourceAuthorization", "on", SWITCH),
    ("taskLongArnFormat", "enabled", SWITCH),
];

const SWITCH: &[&str] = &["enabled", "disabled", "on", "off"];

/// What holds for the caller.
pub fn value(image: &Image, call: &Call, name: &str) -> String {
    effective(image, &call.scope, &call.caller.arn, name)
}

/// What holds for whoever it is, in the account and region of `scope`.
pub fn value_of(image: &Image, scope: &Scope, principal: &str, name: &str) -> String {
    effective(image, scope, principal, name)
}

fn effective(image: &Image, scope: &Scope, principal: &str, name: &str) -> String {
    let own = image.get::<AccountSetting>(key(scope, principal, name).as_str());
    let set = own.or_else(|| image.get(key(scope, &root(scope), name).as_str()));
    set.map(|setting| setting.value.clone()).unwrap_or_else(|| default(name).to_owned())
}

fn default(name: &str) -> &'static str {
    SETTINGS.iter().find(|(known, ..)| *known == name).map_or("", |(_, default, _)| default)
}

fn root(scope: &Scope) -> String {
    base::Arn { region: String::new(), ..base::Arn::new(scope, "iam", "root") }.to_string()
}

pub fn put_account_setting(
    call: &mut Call,
    tx: &mut Tx,
    input: api::PutAccountSettingRequest,
) -> Result<api::PutAccountSettingResponse, Error> {
    let principal = principal(call, input.principal_arn);
    let setting = put(call, tx, principal, input.name, input.value)?;
    Ok(api::PutAccountSettingResponse { setting: Some(setting) })
}

pub fn put_account_setting_default(
    call: &mut Call,
    tx: &mut Tx,
    input: api::PutAccountSettingDefaultRequest,
) -> Result<api::PutAccountSettingDefaultResponse, Error> {
    let setting = put(call, tx, root(&call.scope), input.name, input.value)?;
    Ok(api::PutAccountSettingDefaultResponse { setting: Some(setting) })
}

fn put(
    call: &Call,
    tx: &mut Tx,
    principal: String,
    name: Option<SettingName>,
    value: Option<String>,
) -> Result<api::Setting, Error> {
    let (name, value) = (known(name)?, value.unwrap_or_default());
    let (.., values) = SETTINGS.iter().find(|(setting, ..)| *setting == name).expect("`known` found it");
    if !values.contains(&value.as_str()) {
        return Err(Error::invalid_parameter(format!(
            "Invalid value '{value}' for {name}: should be one of [{}]",
            values.join(",")
        )));
    }
    let setting = AccountSetting { scope: call.scope.clone(), principal, name, value };
    let view = view(&setting.name, &setting.value, &setting.principal);
    tx.put(setting);
    Ok(view)
}

fn known(name: Option<SettingName>) -> Result<String, Error> {
    let name = name.map(|name| name.as_str().to_owned()).unwrap_or_default();
    if SETTINGS.iter().any(|(known, ..)| *known == name) {
        return Ok(name);
    }
    let names: Vec<&str> = SETTINGS.iter().map(|(name, ..)| *name).collect();
    Err(Error::invalid_parameter(format!("{name} should be one of [{}]", names.join(","))))
}

fn principal(call: &Call, given: Option<String>) -> String {
    given.filter(|arn| !arn.is_empty()).unwrap_or_else(|| call.caller.arn.clone())
}

fn view(name: &str, value: &str, principal: &str) -> api::Setting {
    let managed = name == "guardDutyActivate";
    api::Setting {
        name: Some(SettingName::from(name)),
        value: Some(value.to_owned()),
        principal_arn: Some(principal.to_owned()),
        r#type: Some(if managed { SettingType::AwsManaged } else { SettingType::User }),
    }
}

pub fn list_account_settings(
    call: &mut Call,
    image: &Image,
    input: api::ListAccountSettingsRequest,
) -> Result<api::ListAccountSettingsResponse, Error> {
    let wanted = input.name.map(|name| known(Some(name))).transpose()?;
    let principal = principal(call, input.principal_arn);
    let all = if input.effective_settings == Some(true) {
        SETTINGS.iter().map(|(name, ..)| view(name, &effective(image, &call.scope, &principal, name), &principal)).collect()
    } else {
        explicit(image, &call.scope, &principal)
    };
    let matching = all.into_iter().filter(|setting| {
        let name = setting.name.as_ref().map(SettingName::as_str);
        wanted.as_deref().is_none_or(|wanted| name == Some(wanted)) && (input.value.is_none() || input.value == setting.value)
    });
    let name_of = |setting: &api::Setting| setting.name.as_ref().map(|name| name.as_str().to_owned()).unwrap_or_default();
    // Settings are too few to fill a page: AWS has ten to one.
    let max_results = input.max_results.filter(|given| *given != 0);
    let page = page(matching, name_of, max_results, input.next_token.as_deref())?;
    Ok(api::ListAccountSettingsResponse { settings: Some(page.items), next_token: page.next_token })
}

/// What this principal itself has set, by name.
fn explicit(image: &Image, scope: &Scope, principal: &str) -> Vec<api::Setting> {
    let prefix = format!("{scope}/{principal}/");
    image.prefix::<AccountSetting>(&prefix).map(|setting| view(&setting.name, &setting.value, &setting.principal)).collect()
}

/// Answers what was deleted, or what holds if there was nothing to delete.
pub fn delete_account_setting(
    call: &mut Call,
    tx: &mut Tx,
    input: api::DeleteAccountSettingRequest,
) -> Result<api::DeleteAccountSettingResponse, Error> {
    let (name, principal) = (known(input.name)?, principal(call, input.principal_arn));
    let value = effective(tx, &call.scope, &principal, &name);
    tx.delete::<AccountSetting>(key(&call.scope, &principal, &name).as_str());
    Ok(api::DeleteAccountSettingResponse { setting: Some(view(&name, &value, &principal)) })
}

#[cfg(test)]
mod tests {
    use crate::testing::Plane;
    use serde_json::{Value, json};

    const USER: &str = "arn:aws:iam::123456789012:user/u";

    fn listed(plane: &mut Plane, body: Value) -> Vec<String> {
        let answer = plane.ok("ListAccountSettings", body);
        let settings = answer["settings"].as_array().unwrap().iter();
        settings.map(|one| format!("{}={}", one["name"].as_str().unwrap(), one["value"].as_str().unwrap())).collect()
    }

    #[test]
    fn a_principal_has_its_own_then_the_roots_then_awss() {
        let mut plane = Plane::new();
        let effective = json!({"principalArn": USER, "name": "containerInsights", "effectiveSettings": true});
        let own = json!({"principalArn": USER, "name": "containerInsights"});
        assert_eq!(listed(&mut plane, effective.clone()), ["containerInsights=disabled"]);
        plane.ok("PutAccountSettingDefault", json!({"name": "containerInsights", "value": "enabled"}));
        assert_eq!(listed(&mut plane, effective.clone()), ["containerInsights=enabled"]);
        assert!(listed(&mut plane, own.clone()).is_empty());
        let answer =
            plane.ok("PutAccountSetting", json!({"name": "containerInsights", "value": "enhanced", "principalArn": USER}));
        assert_eq!(
            answer["setting"],
            json!({"name": "containerInsights", "value": "enhanced", "principalArn": USER, "type": "user"})
        );
        assert_eq!(listed(&mut plane, own.clone()), ["containerInsights=enhanced"]);
        plane.ok("DeleteAccountSetting", json!({"name": "containerInsights", "principalArn": USER}));
        assert_eq!(listed(&mut plane, effective), ["containerInsights=enabled"]);
        let cluster = plane.ok("CreateCluster", json!({}));
        assert_eq!(cluster["cluster"]["settings"][0]["value"], "enabled", "new clusters begin with the account's setting");
    }

    #[test]
    fn values_are_those_of_the_setting() {
        let refused = Plane::new().refused("PutAccountSetting", json!({"name": "fargateTaskRetirementWaitPeriod", "value": "8"}));
        assert_eq!(
            refused,
            "InvalidParameterException: Invalid value '8' for fargateTaskRetirementWaitPeriod: should be one of [0,7,14]"
        );
    }

    #[test]
    fn every_setting_of_the_model_has_a_default() {
        let mut known: Vec<&str> = super::SETTINGS.iter().map(|(name, ..)| *name).collect();
        let mut modelled = api_ecs::SettingName::VALUES.to_vec();
        known.sort();
        modelled.sort();
        assert_eq!(known, modelled);
    }
}
