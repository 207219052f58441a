//! What a definition only refers to: secrets, environment files, passwords of registries, and files in memory, which are an
//! extension (docs/extensions.md). Their values are the node's to fetch; here they are names.

use api_ecs as api;
use std::collections::BTreeMap;
use workload::{FileContent, FileSpec, SecretSpec};

/// Labels that mean a file: what follows them is where it is in the container.
pub const FILE: &str = "slipway.file.";
pub const SECRET_FILE: &str = "slipway.secret-file.";

/// A router reads the secrets of those that send to it from its own environment, where its configuration expects them.
pub fn secrets(definition: &api::TaskDefinition, declared: &api::ContainerDefinition) -> Vec<SecretSpec> {
    let own = declared.secrets.iter().flatten().filter_map(|secret| spec(secret, secret.name.clone()?));
    let router = declared.firelens_configuration.is_some();
    let senders = definition.container_definitions.iter().flatten().enumerate().filter(|_| router);
    let of_others = senders.flat_map(|(index, sender)| {
        log_secrets(sender).filter_map(move |secret| spec(secret, variable(secret.name.as_deref()?, index)))
    });
    own.chain(of_others).collect()
}

fn spec(secret: &api::Secret, name: String) -> Option<SecretSpec> {
    Some(SecretSpec { name, value_from: secret.value_from.clone()? })
}

fn log_secrets(container: &api::ContainerDefinition) -> impl Iterator<Item = &api::Secret> {
    container.log_configuration.iter().flat_map(|log| log.secret_options.iter().flatten())
}

/// As the stock agent names them (`agent/api/task/task.go`).
fn variable(option: &str, index: usize) -> String {
    format!("{option}_{index}")
}

/// Options of a log driver whose values are secrets, as the configuration of the router refers to them.
pub fn secret_options(definition: &api::TaskDefinition, declared: &api::ContainerDefinition) -> BTreeMap<String, String> {
    let containers = definition.container_definitions.as_deref().unwrap_or_default();
    let index = containers.iter().position(|container| container.name == declared.name).unwrap_or_default();
    let router = containers.iter().find_map(|container| container.firelens_configuration.as_ref());
    let fluentd = router.is_some_and(|router| router.r#type == Some(api::FirelensConfigurationType::Fluentd));
    let placeholder = |name: &str| match variable(name, index) {
        variable if fluentd => format!("\"#{{ENV['{variable}']}}\""),
        variable => format!("${{{variable}}}"),
    };
    let names = log_secrets(declared).filter_map(|secret| secret.name.clone());
    names.map(|name| (name.clone(), placeholder(&name))).collect()
}

/// Those of an override stand in place of the definition's.
pub fn environment_files(declared: &api::ContainerDefinition, overridden: Option<&api::ContainerOverride>) -> Vec<String> {
    let overridden = overridden.and_then(|o| o.environment_files.as_ref()).filter(|files| !files.is_empty());
    let files = overridden.or(declared.environment_files.as_ref());
    files.into_iter().flatten().filter_map(|file| file.value.clone()).collect()
}

pub fn registry_credentials(declared: &api::ContainerDefinition) -> Option<String> {
    declared.repository_credentials.as_ref()?.credentials_parameter.clone()
}

pub fn files(declared: &api::ContainerDefinition) -> Vec<FileSpec> {
    declared.docker_labels.iter().flatten().filter_map(|(label, value)| file(label, value)).collect()
}

fn file(label: &str, value: &str) -> Option<FileSpec> {
    let (path, content) = match (label.strip_prefix(FILE), label.strip_prefix(SECRET_FILE)) {
        (Some(path), _) => (path, FileContent::Text(value.to_owned())),
        (None, Some(path)) => (path, FileContent::Secret(value.to_owned())),
        (None, None) => return None,
    };
    Some(FileSpec { container_path: path.to_owned(), content })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    fn definition(containers: Value) -> api::TaskDefinition {
        serde_json::from_value(json!({ "containerDefinitions": containers })).expect("a task definition")
    }

    #[test]
    fn a_router_gets_the_secrets_of_senders_under_the_names_their_options_refer_to() {
        let check = |kind: &str, expected: Expect| {
            let secret = json!({ "name": "apikey", "valueFrom": "key" });
            let definition = definition(json!([
                { "name": "router", "firelensConfiguration": { "type": kind }, "secrets": [{ "name": "A", "valueFrom": "a" }] },
                { "name": "app", "logConfiguration": { "logDriver": "awsfirelens", "secretOptions": [secret] } },
            ]));
            let [router, app] = definition.container_definitions.as_deref().unwrap() else { panic!("two containers") };
            let names = |container| {
                secrets(&definition, container).iter().map(|s| format!("{}={}", s.name, s.value_from)).collect::<Vec<_>>()
            };
            expected.assert_eq(&format!("{:?} {:?} {:?}", names(router), names(app), secret_options(&definition, app)));
        };
        check("fluentbit", expect![[r#"["A=a", "apikey_1=key"] [] {"apikey": "${apikey_1}"}"#]]);
        check("fluentd", expect![[r##"["A=a", "apikey_1=key"] [] {"apikey": "\"#{ENV['apikey_1']}\""}"##]]);
    }

    #[test]
    fn an_overrides_environment_files_replace_the_definitions() {
        let file = |name: &str| json!([{ "value": name, "type": "s3" }]);
        let definition = definition(json!([{ "environmentFiles": file("a") }]));
        let declared = &definition.container_definitions.as_ref().unwrap()[0];
        let overridden = |files: Value| serde_json::from_value(json!({ "environmentFiles": files })).unwrap();
        assert_eq!(environment_files(declared, None), ["a"]);
        assert_eq!(environment_files(declared, Some(&overridden(json!([])))), ["a"]);
        assert_eq!(environment_files(declared, Some(&overridden(file("b")))), ["b"]);
    }

    #[test]
    fn labels_with_our_prefix_are_files() {
        let labels = json!({ "slipway.file./etc/app.conf": "text", "slipway.secret-file./run/pw": "param", "other": "x" });
        let definition = definition(json!([{ "dockerLabels": labels }]));
        let files = files(&definition.container_definitions.as_ref().unwrap()[0]);
        let shown: Vec<String> = files.iter().map(|file| format!("{} {:?}", file.container_path, file.content)).collect();
        assert_eq!(shown, [r#"/etc/app.conf Text("text")"#, r#"/run/pw Secret("param")"#]);
    }
}
