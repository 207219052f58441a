use super::*;
use crate::task::{Claim, Last};
use base::{Scope, Time};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use workload::{Desired, TaskStatus};

fn task() -> Task {
    Task {
        scope: Scope::new("123456789012", "us-east-1"),
        id: "0f3a".into(),
        cluster: "prod".into(),
        family: "web".into(),
        revision: 7,
        overrides: None,
        network_configuration: None,
        launch_type: Some(api::LaunchType::Ec2),
        capacity_provider: None,
        platform_version: None,
        group: "family:web".into(),
        started_by: None,
        tags: vec![],
        enable_execute_command: false,
        cpu_units: None,
        memory_mib: None,
        claim: Claim::default(),
        node: Some("n1".into()),
        container_instance: None,
        availability_zone: Some("us-east-1a".into()),
        placed_after: Some(1),
        desired: Desired::Running,
        last: Last::Pending,
        status: TaskStatus::default(),
        container_ids: BTreeMap::from([("a".to_owned(), "c1".to_owned())]),
        attachment_id: None,
        stop_code: None,
        stopped_reason: None,
        created_at: Time(5),
        connectivity_at: None,
        started_at: None,
        stopping_at: None,
        stopped_at: None,
        stop_recorded_at: None,
        version: 1,
        member: None,
        protected_until: None,
        logs_block: true,
    }
}

fn compiled(task: &Task, definition: Value) -> TaskSpec {
    compile(task, &serde_json::from_value(definition).expect("a task definition"))
}

/// Members that differ from those of a plain one, a line each.
fn difference(spec: &impl serde::Serialize, plain: &impl serde::Serialize) -> String {
    let (spec, plain) = (serde_json::to_value(spec).unwrap(), serde_json::to_value(plain).unwrap());
    let differing = spec.as_object().unwrap().iter().filter(|(name, value)| plain[name.as_str()] != **value);
    differing.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join("\n")
}

fn container_of(task: &Task, members: Value, mode: &str) -> workload::ContainerSpec {
    let mut container = json!({ "name": "a", "image": "busybox" });
    container.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    compiled(task, json!({ "networkMode": mode, "containerDefinitions": [container] })).containers.remove(0)
}

fn container(members: Value, expected: Expect) {
    in_mode("bridge", members, expected);
}

fn in_mode(mode: &str, members: Value, expected: Expect) {
    let spec = container_of(&task(), members, mode);
    expected.assert_eq(&difference(&spec, &container_of(&task(), json!({}), "bridge")));
}

fn overridden(members: Value, overrides: Value, expected: Expect) {
    let overrides = json!({ "containerOverrides": [overrides] });
    let task = Task { overrides: Some(serde_json::from_value(overrides).unwrap()), ..task() };
    let spec = container_of(&task, members, "bridge");
    expected.assert_eq(&difference(&spec, &container_of(&self::task(), json!({}), "bridge")));
}

fn whole(task: Task, definition: Value, expected: Expect) {
    let plain = compiled(&self::task(), json!({}));
    expected.assert_eq(&difference(&compiled(&task, definition), &plain));
}

#[test]
fn a_plain_container_has_names_labels_and_nothing_else() {
    let spec = container_of(&task(), json!({}), "bridge");
    expect![[r#"
        name "a"
        arn "arn:aws:ecs:us-east-1:123456789012:container/prod/0f3a/c1"
        image "busybox"
        essential true
        labels {"com.amazonaws.ecs.cluster":"prod","com.amazonaws.ecs.container-name":"a","com.amazonaws.ecs.task-arn":"arn:aws:ecs:us-east-1:123456789012:task/prod/0f3a","com.amazonaws.ecs.task-definition-family":"web","com.amazonaws.ecs.task-definition-version":"7"}"#]].assert_eq(&difference(&spec, &workload::ContainerSpec::default()));
}

#[test]
fn a_plain_task_is_a_bridged_one() {
    expect![[r#"
        id "0f3a"
        arn "arn:aws:ecs:us-east-1:123456789012:task/prod/0f3a"
        cluster "prod"
        cluster_arn "arn:aws:ecs:us-east-1:123456789012:cluster/prod"
        region "us-east-1"
        family "web"
        revision 7
        group "family:web"
        launch_type "EC2"
        availability_zone "us-east-1a"
        created_at 5"#]]
    .assert_eq(&difference(&compiled(&task(), json!({})), &TaskSpec::default()));
}

#[test]
fn what_runs() {
    container(
        json!({ "command": ["a", "b"], "entryPoint": ["/bin/sh", "-c"] }),
        expect![[r#"
        entry_point ["/bin/sh","-c"]
        command ["a","b"]"#]],
    );
    container(json!({ "command": [], "entryPoint": [], "user": "", "workingDirectory": "" }), expect![[""]]);
    container(
        json!({ "user": "1000:1000", "workingDirectory": "/srv", "hostname": "h" }),
        expect![[r#"
        user "1000:1000"
        working_directory "/srv"
        hostname "h""#]],
    );
    container(
        json!({ "interactive": true, "pseudoTerminal": true, "readonlyRootFilesystem": true }),
        expect![[r#"
        interactive true
        pseudo_terminal true
        readonly_root true"#]],
    );
    container(
        json!({ "essential": false, "startTimeout": 5, "stopTimeout": 120 }),
        expect![[r#"
        essential false
        start_timeout_s 5
        stop_timeout_s 120"#]],
    );
    container(
        json!({ "dependsOn": [{ "containerName": "b", "condition": "HEALTHY" }, { "containerName": "c", "condition": "START" }] }),
        expect![[r#"depends_on [{"container":"b","condition":"Healthy"},{"container":"c","condition":"Start"}]"#]],
    );
    container(
        json!({ "restartPolicy": { "enabled": true, "ignoredExitCodes": [0] } }),
        expect![[r#"restart {"ignored_exit_codes":[0],"attempt_period_s":300}"#]],
    );
    container(json!({ "restartPolicy": { "enabled": false, "restartAttemptPeriod": 60 } }), expect![[""]]);
}

#[test]
fn health_checks_are_ready_to_execute() {
    let check = |command: Value, expected: Expect| container(json!({ "healthCheck": { "command": command } }), expected);
    check(
        json!(["CMD-SHELL", "curl -f http://localhost || exit 1"]),
        expect![[
            r#"health_check {"command":["/bin/sh","-c","curl -f http://localhost || exit 1"],"interval_s":30,"timeout_s":5,"retries":3,"start_period_s":0}"#
        ]],
    );
    check(
        json!(["CMD", "/check", "now"]),
        expect![[r#"health_check {"command":["/check","now"],"interval_s":30,"timeout_s":5,"retries":3,"start_period_s":0}"#]],
    );
    check(json!(["NONE"]), expect![[""]]);
    check(json!(["CMD"]), expect![[""]]);
    let numbers = json!({ "command": ["CMD", "x"], "interval": 5, "timeout": 2, "retries": 1, "startPeriod": 10 });
    container(
        json!({ "healthCheck": numbers }),
        expect![[r#"health_check {"command":["x"],"interval_s":5,"timeout_s":2,"retries":1,"start_period_s":10}"#]],
    );
}

#[test]
fn the_environment_is_merged_by_name() {
    let declared =
        json!({ "environment": [{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }, { "name": "A", "value": "3" }] });
    container(declared.clone(), expect![[r#"environment {"A":"3","B":"2"}"#]]);
    overridden(
        declared,
        json!({ "name": "a", "environment": [{ "name": "B", "value": "x" }, { "name": "C" }] }),
        expect![[r#"environment {"A":"3","B":"x","C":""}"#]],
    );
}

#[test]
fn overrides_replace_what_they_say() {
    let declared = json!({ "command": ["a"], "cpu": 10, "memory": 100, "memoryReservation": 50 });
    overridden(
        declared.clone(),
        json!({ "name": "a", "command": ["b", "c"] }),
        expect![[r#"
        command ["b","c"]
        cpu_shares 10
        memory_mib 100
        memory_reservation_mib 50"#]],
    );
    overridden(
        declared.clone(),
        json!({ "name": "a", "cpu": 20, "memory": 200 }),
        expect![[r#"
        command ["a"]
        cpu_shares 20
        memory_mib 200
        memory_reservation_mib 50"#]],
    );
    overridden(
        declared,
        json!({ "name": "other", "command": ["b"] }),
        expect![[r#"
        command ["a"]
        cpu_shares 10
        memory_mib 100
        memory_reservation_mib 50"#]],
    );
}

#[test]
fn privileges_and_limits() {
    container(
        json!({ "privileged": true, "dockerSecurityOptions": ["no-new-privileges", "apparmor:x"] }),
        expect![[r#"
        privileged true
        no_new_privileges true
        security_options ["apparmor:x"]"#]],
    );
    container(json!({ "dockerSecurityOptions": ["no-new-privileges:false"] }), expect![[""]]);
    container(
        json!({ "ulimits": [{ "name": "core", "softLimit": 0, "hardLimit": -1 }] }),
        expect![[r#"ulimits [{"name":"core","soft":0,"hard":-1}]"#]],
    );
    container(
        json!({ "systemControls": [{ "namespace": "net.core.somaxconn", "value": "1024" }] }),
        expect![[r#"sysctls {"net.core.somaxconn":"1024"}"#]],
    );
    let linux = json!({
        "capabilities": { "add": ["SYS_PTRACE"], "drop": ["ALL"] }, "initProcessEnabled": true, "sharedMemorySize": 64,
        "maxSwap": 128, "swappiness": 10,
        "devices": [{ "hostPath": "/dev/fuse" }, { "hostPath": "/dev/a", "containerPath": "/dev/b", "permissions": ["read"] }],
        "tmpfs": [{ "containerPath": "/run", "size": 16, "mountOptions": ["noexec"] }],
    });
    container(
        json!({ "linuxParameters": linux }),
        expect![[r#"
        cap_add ["SYS_PTRACE"]
        cap_drop ["ALL"]
        init_process true
        devices [{"host_path":"/dev/fuse","container_path":"/dev/fuse","read":true,"write":true,"mknod":true},{"host_path":"/dev/a","container_path":"/dev/b","read":true,"write":false,"mknod":false}]
        shm_size_mib 64
        tmpfs [{"container_path":"/run","size_mib":16,"options":["noexec"]}]
        max_swap_mib 128
        swappiness 10"#]],
    );
}

#[test]
fn ports_are_mapped_by_a_bridge_only() {
    let ports = json!({ "portMappings": [
        { "containerPort": 80, "hostPort": 8080 }, { "containerPort": 53, "protocol": "udp" }, { "containerPortRange": "90-92" }] });
    in_mode(
        "bridge",
        ports.clone(),
        expect![[
            r#"ports [{"container_port":80,"host_port":8080,"protocol":"Tcp","container_port_end":80},{"container_port":53,"host_port":0,"protocol":"Udp","container_port_end":53},{"container_port":90,"host_port":0,"protocol":"Tcp","container_port_end":92}]"#
        ]],
    );
    in_mode(
        "awsvpc",
        ports.clone(),
        expect![[
            r#"ports [{"container_port":80,"host_port":80,"protocol":"Tcp","container_port_end":80},{"container_port":53,"host_port":53,"protocol":"Udp","container_port_end":53},{"container_port":90,"host_port":90,"protocol":"Tcp","container_port_end":92}]"#
        ]],
    );
    in_mode(
        "host",
        ports,
        expect![[
            r#"ports [{"container_port":80,"host_port":80,"protocol":"Tcp","container_port_end":80},{"container_port":53,"host_port":53,"protocol":"Udp","container_port_end":53},{"container_port":90,"host_port":90,"protocol":"Tcp","container_port_end":92}]"#
        ]],
    );
}

#[test]
fn names_and_neighbours() {
    container(
        json!({ "dnsServers": ["1.1.1.1"], "dnsSearchDomains": ["x"], "links": ["b:c"], "disableNetworking": true }),
        expect![[r#"
        dns_servers ["1.1.1.1"]
        dns_search_domains ["x"]
        links ["b:c"]
        disable_networking true"#]],
    );
    container(
        json!({ "extraHosts": [{ "hostname": "db", "ipAddress": "10.0.0.1" }] }),
        expect![[r#"extra_hosts [["db","10.0.0.1"]]"#]],
    );
    container(
        json!({ "dockerLabels": { "x": "y", "com.amazonaws.ecs.cluster": "mine" } }),
        expect![[
            r#"labels {"com.amazonaws.ecs.cluster":"prod","com.amazonaws.ecs.container-name":"a","com.amazonaws.ecs.task-arn":"arn:aws:ecs:us-east-1:123456789012:task/prod/0f3a","com.amazonaws.ecs.task-definition-family":"web","com.amazonaws.ecs.task-definition-version":"7","x":"y"}"#
        ]],
    );
    container(
        json!({ "logConfiguration": { "logDriver": "json-file", "options": { "max-size": "1m" } } }),
        expect![[r#"log {"driver":"json-file","options":{"max-size":"1m"}}"#]],
    );
    container(
        json!({ "logConfiguration": { "logDriver": "awslogs", "options": { "awslogs-group": "g" } } }),
        expect![[r#"log {"driver":"awslogs","options":{"awslogs-group":"g","mode":"blocking"}}"#]],
    );
    container(
        json!({ "logConfiguration": { "logDriver": "awslogs", "options": { "mode": "non-blocking" } } }),
        expect![[r#"log {"driver":"awslogs","options":{"mode":"non-blocking"}}"#]],
    );
    container(
        json!({ "mountPoints": [{ "sourceVolume": "v", "containerPath": "/v", "readOnly": true }], "volumesFrom": [{ "sourceContainer": "b" }] }),
        expect![[r#"
            mounts [{"volume":"v","container_path":"/v","read_only":true}]
            volumes_from [{"container":"b","read_only":false}]"#]],
    );
}

#[test]
fn volumes_come_from_where_they_say() {
    let volumes = json!({ "volumes": [
        { "name": "empty" }, { "name": "none", "host": {} }, { "name": "host", "host": { "sourcePath": "/srv" } },
        { "name": "own", "dockerVolumeConfiguration": { "driverOpts": { "type": "tmpfs" } } },
        { "name": "kept", "dockerVolumeConfiguration": { "scope": "shared", "autoprovision": true, "driver": "local" } },
        { "name": "efs", "efsVolumeConfiguration": { "fileSystemId": "fs-1", "transitEncryption": "ENABLED" } }] });
    let volumes = compiled(&task(), volumes).volumes;
    let lines: Vec<String> = volumes.iter().map(|volume| format!("{} {:?}", volume.name, volume.source)).collect();
    expect![[r#"
        empty Task
        none Task
        host Host { path: "/srv" }
        own Docker { name: "ecs-web-7-own-0f3a", shared: false, autoprovision: true, driver: "local", options: {"type": "tmpfs"}, labels: {} }
        kept Docker { name: "kept", shared: true, autoprovision: true, driver: "local", options: {}, labels: {} }
        efs Efs { file_system: "fs-1", root: "/", options: {"transitEncryption": "ENABLED"} }"#]].assert_eq(&lines.join("\n"));
}

#[test]
fn the_task_around_them() {
    whole(
        task(),
        json!({ "networkMode": "host", "pidMode": "host", "ipcMode": "task" }),
        expect![[r#"
        network_mode "Host"
        pid_mode "Host"
        ipc_mode "Task""#]],
    );
    whole(
        task(),
        json!({ "networkMode": "none", "pidMode": "task", "ipcMode": "none" }),
        expect![[r#"
        network_mode "None"
        pid_mode "Task""#]],
    );
    whole(task(), json!({ "ephemeralStorage": { "sizeInGiB": 30 } }), expect!["ephemeral_storage_gib 30"]);
    let sized = Task { cpu_units: Some(256), memory_mib: Some(512), desired: Desired::Stopped, ..task() };
    whole(
        sized,
        json!({ "networkMode": "awsvpc" }),
        expect![[r#"
        desired "Stopped"
        network_mode "Awsvpc"
        cpu_units 256
        memory_mib 512"#]],
    );
}

#[test]
fn fargate_opens_more_files() {
    let fargate = Task { launch_type: Some(api::LaunchType::Fargate), ..task() };
    let nofile = |members: Value| container_of(&fargate, members, "awsvpc").ulimits;
    expect![[r#"[Ulimit { name: "nofile", soft: 65535, hard: 65535 }]"#]].assert_eq(&format!("{:?}", nofile(json!({}))));
    let own = json!({ "ulimits": [{ "name": "nofile", "softLimit": 10, "hardLimit": 20 }] });
    expect![[r#"[Ulimit { name: "nofile", soft: 10, hard: 20 }]"#]].assert_eq(&format!("{:?}", nofile(own)));
}

#[test]
fn the_role_is_the_overriding_one_and_has_an_arn() {
    let of = |overriding: Option<&str>, declared: Option<&str>| {
        let overrides = overriding.map(|role| json!({ "taskRoleArn": role }));
        let task = Task { overrides: overrides.map(|o| serde_json::from_value(o).unwrap()), ..task() };
        compiled(&task, json!({ "taskRoleArn": declared, "containerDefinitions": [] })).task_role.unwrap_or_default()
    };
    let (one, other) = ("arn:aws:iam::123456789012:role/one", "arn:aws:iam::123456789012:role/team/other");
    let cases = [
        (None, None, ""),
        (None, Some(""), ""),
        (None, Some(one), one),
        (None, Some("one"), one),
        (Some(other), None, other),
        (Some(other), Some(one), other),
        (Some("team/other"), Some(one), other),
        (Some(""), Some(one), one),
    ];
    for (overriding, declared, expected) in cases {
        assert_eq!(of(overriding, declared), expected, "{overriding:?} over {declared:?}");
    }
}
