//! What generated types promise besides the wire: errors, copying between shapes, and silence about secrets.

use api_ecs::*;
use wire::Fault;

#[test]
fn an_error_renders_with_its_code_and_members() {
    let error = wire::Error::from(Error::conflict("In use.", Some(vec!["arn:a".to_owned()])));
    assert_eq!((error.code.as_str(), error.status, error.fault), ("ConflictException", 400, Fault::Sender));
    assert_eq!(error.extra["resourceIds"], serde_json::json!(["arn:a"]));
    assert_eq!(Error::cluster_not_found("Cluster not found.").to_string(), "ClusterNotFoundException: Cluster not found.");
}

#[test]
fn only_the_server_exception_is_our_fault() {
    let error = wire::Error::from(Error::server("Try again."));
    assert_eq!((error.code.as_str(), error.status, error.fault), ("ServerException", 500, Fault::Receiver));
}

#[test]
fn a_request_projects_to_what_the_definition_has_in_common() {
    let request = RegisterTaskDefinitionRequest {
        family: Some("web".to_owned()),
        network_mode: Some(NetworkMode::Awsvpc),
        tags: Some(vec![Tag::default()]),
        ..Default::default()
    };
    let definition = request.project();
    let expected =
        TaskDefinition { family: Some("web".to_owned()), network_mode: Some(NetworkMode::Awsvpc), ..Default::default() };
    assert_eq!(definition, expected);
}

#[test]
fn an_update_overwrites_what_it_sets() {
    let mut service =
        CreateServiceRequest { desired_count: Some(1), task_definition: Some("a:1".to_owned()), ..Default::default() };
    service.merge(UpdateServiceRequest { task_definition: Some("a:2".to_owned()), ..Default::default() });
    assert_eq!((service.desired_count, service.task_definition.as_deref()), (Some(1), Some("a:2")));
}

#[test]
fn sensitive_members_do_not_print() {
    let container = ContainerDefinition {
        name: Some("web".to_owned()),
        environment: Some(vec![KeyValuePair { name: Some("PASSWORD".to_owned()), value: Some("hunter2".to_owned()) }]),
        repository_credentials: Some(RepositoryCredentials { credentials_parameter: Some("hunter2".to_owned()) }),
        ..Default::default()
    };
    let session = Session { token_value: Some("hunter2".to_owned()), ..Default::default() };
    let printed = format!("{container:?} {session:?}");
    assert!(printed.contains("web") && printed.contains("***") && !printed.contains("hunter2"), "{printed}");
}

#[test]
fn a_timestamp_takes_our_time() {
    let task = Task { created_at: Some(base::Time(1_700_000_000_250).into()), ..Default::default() };
    assert_eq!(serde_json::to_string(&task).unwrap(), r#"{"createdAt":1700000000.25}"#);
}
