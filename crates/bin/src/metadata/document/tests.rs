//! Documents against those that the stock agent gave: the same members where the same is known.

use super::*;
use expect_test::{Expect, expect};
use serde_json::json;
use std::collections::BTreeSet;
use workload::{Binding, HealthCheck, LogSpec, MountSpec, RestartPolicy, StopCause, VolumeSpec};

const SAMPLES: &str = include_str!("samples.json");

fn spec(mode: NetworkMode) -> TaskSpec {
    let labels = ["cluster", "container-name", "task-arn", "task-definition-family", "task-definition-version"];
    let app = ContainerSpec {
        name: "app".into(),
        arn: "arn:aws:ecs:us-east-1:123456789012:container/demo/652c/dd0f".into(),
        image: "bb:latest".into(),
        labels: labels.map(|label| (format!("com.amazonaws.ecs.{label}"), "…".to_owned())).into(),
        cpu_shares: 10,
        memory_mib: Some(64),
        ..ContainerSpec::default()
    };
    TaskSpec {
        id: "652c".into(),
        arn: "arn:aws:ecs:us-east-1:123456789012:task/demo/652c".into(),
        cluster: "demo".into(),
        region: "us-east-1".into(),
        family: "fam".into(),
        revision: 3,
        group: "family:fam".into(),
        launch_type: "EXTERNAL".into(),
        availability_zone: "us-east-1a".into(),
        network_mode: mode,
        containers: vec![app, ContainerSpec { name: "later".into(), ..ContainerSpec::default() }],
        ..TaskSpec::default()
    }
}

fn status() -> TaskStatus {
    let address = Address { ipv4: "10.0.3.4".into(), mac: "02:42:0a:00:03:04".into(), gateway: "10.0.0.1".into(), prefix: 16 };
    let binding = Binding { bind_ip: "0.0.0.0".into(), container_port: 8080, host_port: 32769, protocol: Protocol::Tcp };
    let app = ContainerStatus {
        name: "app".into(),
        phase: ContainerPhase::Running,
        runtime_id: Some("bfa59336d714".repeat(5) + "0123"),
        image_digest: Some("sha256:2927".into()),
        bindings: vec![binding],
        address: Some(address),
        started_at: Some(Time(1_795_172_685_707)),
        ..ContainerStatus::default()
    };
    let later = ContainerStatus { name: "later".into(), ..ContainerStatus::default() };
    TaskStatus { id: "652c".into(), phase: TaskPhase::Running, containers: vec![app, later], ..TaskStatus::default() }
}

fn of_container(version: Version, spec: &TaskSpec, status: &TaskStatus) -> Value {
    json!(container(version, spec, status, &spec.containers[0], &status.containers[0]))
}

fn members(document: &Value) -> BTreeSet<&str> {
    document.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn documents_have_the_members_of_the_stock_agents() {
    let samples: Value = serde_json::from_str(SAMPLES).unwrap();
    let (spec, status) = (spec(NetworkMode::Bridge), status());
    let task = json!(task(Version::V4, &spec, &status));
    let sample = &samples["task"];
    assert_eq!(members(&task), members(sample));
    assert_eq!(members(&task["Containers"][0]), members(&sample["Containers"][0]));
    for part in ["Limits", "Labels"] {
        assert_eq!(members(&task["Containers"][0][part]), members(&samples["container"][part]), "{part}");
    }
    for list in ["Ports", "Networks"] {
        assert_eq!(members(&task["Containers"][0][list][0]), members(&sample["Containers"][0][list][0]), "{list}");
    }
    assert_eq!(of_container(Version::V4, &spec, &status), task["Containers"][0]);
    assert_eq!(task["Containers"].as_array().unwrap().len(), 1, "what was never made is not there");
}

fn check(version: Version, spec: &TaskSpec, status: &TaskStatus, members: &[&str], expected: Expect) {
    let task = json!(task(version, spec, status));
    let container = of_container(version, spec, status);
    let line = |name: &&str| {
        let value = task.get(name).filter(|_| !["Health", "DesiredStatus", "KnownStatus", "Limits"].contains(name));
        format!("{name}: {}\n", value.or(container.get(name)).unwrap_or(&Value::Null))
    };
    expected.assert_eq(&members.iter().map(line).collect::<String>());
}

#[test]
fn each_network_mode_shows_what_it_has() {
    for (mode, version, expected) in [
        (
            NetworkMode::Bridge,
            Version::V4,
            expect![[r#"
            Ports: [{"ContainerPort":8080,"Protocol":"tcp","HostPort":32769,"HostIp":"0.0.0.0"}]
            Networks: [{"NetworkMode":"bridge","IPv4Addresses":["10.0.3.4"]}]
        "#]],
        ),
        (
            NetworkMode::Awsvpc,
            Version::V4,
            expect![[r#"
            Ports: null
            Networks: [{"NetworkMode":"awsvpc","IPv4Addresses":["10.0.3.4"],"AttachmentIndex":0,"MACAddress":"02:42:0a:00:03:04","IPv4SubnetCIDRBlock":"10.0.0.0/16","PrivateDNSName":"ip-10-0-3-4.ec2.internal","SubnetGatewayIpv4Address":"10.0.0.1/16"}]
        "#]],
        ),
        (
            NetworkMode::Awsvpc,
            Version::V3,
            expect![[r#"
            Ports: null
            Networks: [{"NetworkMode":"awsvpc","IPv4Addresses":["10.0.3.4"]}]
        "#]],
        ),
    ] {
        check(version, &spec(mode), &status(), &["Ports", "Networks"], expected);
    }
    let mut status = status();
    status.containers[0].address = None;
    check(
        Version::V4,
        &spec(NetworkMode::Host),
        &status,
        &["Ports", "Networks"],
        expect![[r#"
        Ports: null
        Networks: [{"NetworkMode":"host","IPv4Addresses":[""]}]
    "#]],
    );
}

#[test]
fn fargate_says_the_clusters_arn() {
    let arn = "arn:aws:ecs:us-east-1:123456789012:cluster/demo";
    let spec = TaskSpec { launch_type: "FARGATE".into(), cluster_arn: arn.into(), ..spec(NetworkMode::Awsvpc) };
    assert_eq!(json!(task(Version::V4, &spec, &status()))["Cluster"], arn);
}

#[test]
fn version_3_knows_less() {
    let spec = spec(NetworkMode::Bridge);
    let (v3, v4) = (json!(task(Version::V3, &spec, &status())), json!(task(Version::V4, &spec, &status())));
    let gone: Vec<_> = members(&v4).difference(&members(&v3)).map(|name| name.to_string()).collect();
    let (v3, v4) = (members(&v3["Containers"][0]), members(&v4["Containers"][0]));
    expect![[r#"["FaultInjectionEnabled", "LaunchType"] ["ContainerARN", "LogDriver"]"#]]
        .assert_eq(&format!("{gone:?} {:?}", v4.difference(&v3).collect::<Vec<_>>()));
}

#[test]
fn what_a_definition_says_is_shown() {
    let mut spec = spec(NetworkMode::Bridge);
    (spec.cpu_units, spec.memory_mib, spec.group) = (Some(256), Some(512), "service:web".into());
    let volume = |name: &str, source| VolumeSpec { name: name.into(), source };
    spec.volumes = vec![volume("host", VolumeSource::Host { path: "/srv".into() }), volume("scratch", VolumeSource::Task)];
    let mount = |volume: &str| MountSpec { volume: volume.into(), container_path: format!("/{volume}"), read_only: false };
    let app = &mut spec.containers[0];
    (app.cpu_shares, app.memory_mib) = (0, None);
    app.mounts = vec![mount("host"), mount("scratch")];
    app.health_check = Some(HealthCheck { command: vec![], interval_s: 1, timeout_s: 1, retries: 1, start_period_s: 0 });
    app.restart = Some(RestartPolicy { ignored_exit_codes: vec![], attempt_period_s: 60 });
    let options = [("awslogs-group", "g"), ("awslogs-stream-prefix", "web")];
    app.log = LogSpec { driver: "awslogs".into(), options: options.map(|(n, v)| (n.into(), v.into())).into() };
    let mut status = status();
    status.cause = Some(StopCause::Asked);
    let seen = &mut status.containers[0];
    (seen.phase, seen.exit_code, seen.restart_count) = (ContainerPhase::Stopped, Some(137), 2);
    (seen.health, seen.health_since, seen.stopped_at) = (Health::Healthy, Some(Time(1000)), Some(Time(2000)));
    let task = json!(super::task(Version::V4, &spec, &status));
    expect![[r#"{"CPU":0.25,"Memory":512}"#]].assert_eq(&task["Limits"].to_string());
    let names = [
        "ServiceName",
        "DesiredStatus",
        "KnownStatus",
        "ExitCode",
        "Limits",
        "FinishedAt",
        "Health",
        "Volumes",
        "LogDriver",
        "LogOptions",
        "RestartCount",
        "DockerName",
    ];
    check(
        Version::V4,
        &spec,
        &status,
        &names,
        expect![[r#"
        ServiceName: "web"
        DesiredStatus: "STOPPED"
        KnownStatus: "STOPPED"
        ExitCode: 137
        Limits: {"CPU":2}
        FinishedAt: "1970-01-01T00:00:02Z"
        Health: {"status":"HEALTHY","statusSince":"1970-01-01T00:00:01Z"}
        Volumes: [{"Source":"/srv","Destination":"/host"},{"DockerName":"scratch","Destination":"/scratch"}]
        LogDriver: "awslogs"
        LogOptions: {"awslogs-group":"g","awslogs-stream":"web/app/652c"}
        RestartCount: 2
        DockerName: "ecs-fam-3-app-d714bfa59336d7140123"
    "#]],
    );
}
