//! What a definition may ask for and this server cannot give yet. Refused before a task exists: a container that starts without
//! what it asked for is worse than none.

use api_ecs as api;

pub fn refuse(definition: &api::TaskDefinition) -> Result<(), api::Error> {
    let containers = definition.container_definitions.iter().flatten();
    let mut asked = containers.flat_map(of_container).chain(of_task(definition));
    match asked.next() {
        Some(what) => Err(api::Error::unsupported_feature(format!("{what} are not supported by this server yet."))),
        None => Ok(()),
    }
}

fn of_container(container: &api::ContainerDefinition) -> impl Iterator<Item = &'static str> {
    // Only a router's configuration has a place for them.
    let log_secrets = container
        .log_configuration
        .as_ref()
        .is_some_and(|log| some(&log.secret_options) && log.log_driver != Some(api::LogDriver::Awsfirelens));
    let asked = [
        (log_secrets, "Secret options of other log drivers than awsfirelens"),
        (some(&container.credential_specs), "Credential specs"),
    ];
    asked.into_iter().filter(|(is_asked, _)| *is_asked).map(|(_, what)| what)
}

fn of_task(definition: &api::TaskDefinition) -> impl Iterator<Item = &'static str> {
    let mut volumes = definition.volumes.iter().flatten();
    let elsewhere = volumes.any(|volume| {
        let is_windows = volume.fsx_windows_file_server_volume_configuration.is_some();
        is_windows || volume.s3files_volume_configuration.is_some() || volume.configured_at_launch == Some(true)
    });
    let isolation = definition.trusted_execution_configuration.as_ref().and_then(|trusted| trusted.isolation_mode.as_ref());
    let asked = [
        (isolation.is_some_and(|mode| mode.as_str() != "SHARED"), "Sandboxes of trusted execution"),
        (definition.proxy_configuration.is_some(), "Proxy configurations"),
        (elsewhere, "Volumes of EBS, FSx and S3 Files"),
        (some(&definition.inference_accelerators), "Inference accelerators"),
    ];
    asked.into_iter().filter(|(is_asked, _)| *is_asked).map(|(_, what)| what)
}

fn some<T>(list: &Option<Vec<T>>) -> bool {
    list.as_ref().is_some_and(|list| !list.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    fn check(definition: Value, expected: Expect) {
        let definition = serde_json::from_value(definition).expect("a task definition");
        let said = refuse(&definition).map_or_else(|error| error.message().to_owned(), |()| "fine".to_owned());
        expected.assert_eq(&said);
    }

    #[test]
    fn what_cannot_be_given_is_refused() {
        let container = |members: Value| json!({ "containerDefinitions": [{ "name": "a" }, members] });
        check(container(json!({ "secrets": [{ "name": "A", "valueFrom": "b" }] })), expect!["fine"]);
        let log = |driver: &str| json!({ "logDriver": driver, "secretOptions": [{ "name": "a", "valueFrom": "b" }] });
        check(
            container(json!({ "logConfiguration": log("awslogs") })),
            expect!["Secret options of other log drivers than awsfirelens are not supported by this server yet."],
        );
        let trusted = |mode: &str| json!({ "trustedExecutionConfiguration": { "isolationMode": mode } });
        check(trusted("SHARED"), expect!["fine"]);
        check(trusted("ISOLATED_SANDBOX"), expect!["Sandboxes of trusted execution are not supported by this server yet."]);
        check(
            json!({ "volumes": [{ "name": "v", "configuredAtLaunch": true }] }),
            expect!["Volumes of EBS, FSx and S3 Files are not supported by this server yet."],
        );
    }
}
