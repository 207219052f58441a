//! FireLens: what a router is told, and who waits for it. As the stock agent decides it (`agent/api/task/task.go`).

use api_ecs as api;
use workload::{Condition, Dependency, FirelensFile, FirelensKind, FirelensSpec};

pub fn router(configuration: &api::FirelensConfiguration) -> FirelensSpec {
    let option = |name: &str| configuration.options.as_ref().and_then(|options| options.get(name)).map(String::as_str);
    let value = option("config-file-value").unwrap_or_default().to_owned();
    FirelensSpec {
        kind: match configuration.r#type {
            Some(api::FirelensConfigurationType::Fluentd) => FirelensKind::Fluentd,
            _ => FirelensKind::Fluentbit,
        },
        ecs_metadata: option("enable-ecs-log-metadata").is_none_or(is_true),
        config_file: match option("config-file-type") {
            Some("file") => Some(FirelensFile::Path(value)),
            Some("s3") => Some(FirelensFile::S3(value)),
            _ => None,
        },
    }
}

/// Go's `strconv.ParseBool`.
fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

/// The router runs before whoever sends to it, unless the definition orders them itself: a router that waits for others waits
/// perhaps for these.
pub fn dependency(definition: &api::TaskDefinition, container: &api::ContainerDefinition) -> Option<Dependency> {
    let sends = container.log_configuration.as_ref()?.log_driver == Some(api::LogDriver::Awsfirelens);
    let router = definition.container_definitions.iter().flatten().find(|one| one.firelens_configuration.is_some())?;
    let name = router.name.as_ref()?;
    let ordered = container.depends_on.iter().flatten().any(|depends| depends.container_name.as_ref() == Some(name));
    let waits = router.depends_on.iter().flatten().next().is_some();
    let is_other = container.name.as_ref() != Some(name);
    (sends && is_other && !ordered && !waits).then(|| Dependency { container: name.clone(), condition: Condition::Start })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    fn check_router(options: Value, expected: Expect) {
        let configuration = serde_json::from_value(json!({ "type": "fluentd", "options": options })).unwrap();
        expected.assert_eq(&format!("{:?}", router(&configuration)));
    }

    #[test]
    fn a_router_gets_metadata_unless_told_otherwise_and_a_file_of_its_own() {
        check_router(json!({}), expect!["FirelensSpec { kind: Fluentd, ecs_metadata: true, config_file: None }"]);
        check_router(
            json!({ "enable-ecs-log-metadata": "false", "config-file-type": "file", "config-file-value": "/a.conf" }),
            expect![[r#"FirelensSpec { kind: Fluentd, ecs_metadata: false, config_file: Some(Path("/a.conf")) }"#]],
        );
        check_router(
            json!({ "enable-ecs-log-metadata": "T", "config-file-type": "s3", "config-file-value": "arn:aws:s3:::b/k" }),
            expect![[r#"FirelensSpec { kind: Fluentd, ecs_metadata: true, config_file: Some(S3("arn:aws:s3:::b/k")) }"#]],
        );
    }

    fn check_dependency(router: Value, app: Value, expected: Expect) {
        let mut containers = [
            json!({ "name": "router", "firelensConfiguration": { "type": "fluentbit" } }),
            json!({ "name": "app", "logConfiguration": { "logDriver": "awsfirelens" } }),
        ];
        for (container, more) in containers.iter_mut().zip([router, app]) {
            container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        }
        let definition: api::TaskDefinition = serde_json::from_value(json!({ "containerDefinitions": containers })).unwrap();
        let each = definition.container_definitions.iter().flatten().map(|container| dependency(&definition, container));
        let shown: Vec<String> = each.flatten().map(|d| format!("{} {:?}", d.container, d.condition)).collect();
        expected.assert_eq(&shown.join(", "));
    }

    #[test]
    fn senders_wait_for_the_router_unless_the_definition_orders_them() {
        let on = |name: &str| json!({ "dependsOn": [{ "containerName": name, "condition": "HEALTHY" }] });
        check_dependency(json!({}), json!({}), expect!["router Start"]);
        check_dependency(json!({}), on("router"), expect![""]);
        check_dependency(json!({}), on("third"), expect!["router Start"]);
        check_dependency(on("app"), json!({}), expect![""]);
        check_dependency(json!({}), json!({ "logConfiguration": { "logDriver": "json-file" } }), expect![""]);
        check_dependency(json!({ "logConfiguration": { "logDriver": "awsfirelens" } }), json!({}), expect!["router Start"]);
    }
}
