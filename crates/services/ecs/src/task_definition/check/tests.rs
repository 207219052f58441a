//! One line a rule: what is changed in a definition that registers, and what AWS says to it. And: no input is a panic.

use super::check;
use api_ecs::RegisterTaskDefinitionRequest;
use base::Rng;
use serde_json::{Value, json};

const ROLE: &str = "arn:aws:iam::123456789012:role/r";

/// Two containers in bridge mode.
fn bridge() -> Value {
    json!({
        "family": "web",
        "containerDefinitions": [
            {"name": "app", "image": "nginx", "memory": 128},
            {"name": "log", "image": "busybox:1.36", "memoryReservation": 64, "essential": false},
        ],
    })
}

fn fargate() -> Value {
    json!({
        "family": "web",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [{"name": "app", "image": "nginx"}],
    })
}

/// `base` with the members of `change` in place of its own, `app` standing for those of the first container.
fn changed(mut base: Value, change: Value) -> Value {
    let Value::Object(members) = change else { panic!("a change is an object") };
    for (name, value) in members {
        match (name.as_str(), value) {
            ("app", Value::Object(members)) => {
                members.into_iter().for_each(|(name, value)| base["containerDefinitions"][0][name] = value)
            }
            (_, value) => base[name] = value,
        }
    }
    base
}

fn verdict(definition: Value) -> String {
    let request: RegisterTaskDefinitionRequest = serde_json::from_value(definition).expect("a definition");
    check(&request).map_or_else(|error| error.to_string(), |()| "registers".to_owned())
}

fn table(base: fn() -> Value, cases: Vec<(Value, &str)>) {
    for (change, expected) in cases {
        let said = verdict(changed(base(), change.clone()));
        let change: String = change.to_string().chars().take(200).collect();
        assert_eq!(said.strip_prefix("ClientException: ").unwrap_or(&said), expected, "{change}");
    }
}

#[test]
fn the_task_has_rules() {
    let eleven: Vec<Value> = (0..11).map(|n| json!({"name": format!("c{n}"), "image": "i", "memory": 8})).collect();
    table(
        bridge,
        vec![
            (json!({}), "registers"),
            (json!({"family": "web.1"}), "Family contains invalid characters."),
            (json!({"family": "f".repeat(256)}), "Family contains invalid characters."),
            (json!({"family": ""}), "Family should not be null or empty."),
            (json!({"containerDefinitions": []}), "Container list cannot be empty."),
            (json!({"containerDefinitions": eleven}), "Too many containers. Maximum allowed is 10."),
            (json!({"app": {"command": ["x".repeat(70_000)]}}), "Actual length: '70179'. Max allowed length is '65536' bytes."),
            (json!({"taskRoleArn": "worker"}), "registers"),
            (json!({"taskRoleArn": "service/worker", "executionRoleArn": ""}), "registers"),
            (json!({"taskRoleArn": ROLE}), "registers"),
            (json!({"taskRoleArn": "arn:aws-cn:iam::123456789012:role/a/b"}), "registers"),
            (json!({"taskRoleArn": "arn:aws:iam::XXXXXXXXXXXX:role/r"}), "Role is not valid"),
            (json!({"taskRoleArn": "arn:aws:iam::1234:role/r"}), "Role is not valid"),
            (json!({"executionRoleArn": "arn:aws:iam::123456789012:user/r"}), "Role is not valid"),
            (json!({"executionRoleArn": "$ROLE"}), "Role is not valid"),
            (json!({"networkMode": "default"}), "networkMode should be one of [bridge,host,awsvpc,none]"),
            (json!({"pidMode": "container"}), "pidMode should be one of [host,task]"),
            (
                json!({"requiresCompatibilities": ["LAMBDA"]}),
                "requiresCompatibilities should be one of [EC2,FARGATE,EXTERNAL,MANAGED_INSTANCES]",
            ),
            (
                json!({"requiresCompatibilities": ["EXTERNAL"], "networkMode": "awsvpc"}),
                "External only supports network modes ‘bridge’, ‘host’ and ‘none’.",
            ),
            (
                json!({"inferenceAccelerators": [{"deviceName": "d", "deviceType": "t"}]}),
                "Unsupported field 'inferenceAccelerators'.",
            ),
            (json!({"ephemeralStorage": {"sizeInGiB": 20}}), "EphemeralStorage size should be at least 21"),
            (json!({"ephemeralStorage": {"sizeInGiB": 201}}), "EphemeralStorage size should be at most 200"),
            (
                json!({"ephemeralStorage": {"sizeInGiB": 21}, "requiresCompatibilities": ["EC2"]}),
                "Tasks using the EC2 launch type do not support EphemeralStorage.",
            ),
            (json!({"placementConstraints": [{"type": "memberOf", "expression": "attribute:x == y"}]}), "registers"),
            (
                json!({"placementConstraints": [{"type": "distinctInstance"}]}),
                "constraint.type 'distinctInstance' is not supported.",
            ),
            (json!({"placementConstraints": [{"type": "memberOf"}]}), "constraint.expression should not be null or empty."),
            (
                json!({"placementConstraints": vec![json!({"type": "memberOf", "expression": "attribute:x exists"}); 11]}),
                "Too many placement constraints. Maximum allowed is 10.",
            ),
            (json!({"tags": []}), "Tags can not be empty."),
            (json!({"tags": [{"key": "a", "value": "b"}]}), "registers"),
            (json!({"tags": [{"key": "a"}, {"key": "a"}]}), "Duplicate tag keys found: a. Each tag key must be unique."),
        ],
    );
    let unreadable =
        verdict(changed(bridge(), json!({"placementConstraints": [{"type": "memberOf", "expression": "attribute:"}]})));
    assert!(unreadable.starts_with("ClientException: Invalid expression 'attribute:': "), "{unreadable}");
}

#[test]
fn a_container_has_rules() {
    let digest = format!("r/nginx@sha256:{}", "a1".repeat(32));
    table(
        bridge,
        vec![
            (json!({"app": {"name": null}}), "Container.name should not be null or empty."),
            (json!({"app": {"name": "a b"}}), "Container.name contains invalid characters."),
            (json!({"app": {"name": "log"}}), "Container names must be unique within a task definition."),
            (json!({"app": {"image": ""}}), "Container.image should not be null or empty."),
            (json!({"app": {"image": "$IMAGE:$TAG"}}), "Container.image contains invalid characters."),
            (json!({"app": {"image": "nginx "}}), "Container.image contains invalid characters."),
            (json!({"app": {"image": "registry:5000/a/b_c.d-e:v1#x"}}), "registers"),
            (json!({"app": {"image": digest}}), "registers"),
            (json!({"app": {"image": "nginx@sha256:abc"}}), "Container.image contains invalid characters."),
            (json!({"app": {"image": "i".repeat(256)}}), "Container.image should not be longer than 255 characters."),
            (json!({"app": {"essential": false}}), "Task definition doesn't have any essential container."),
            (json!({"app": {"stopTimeout": 1}}), "Granular stop timeout on container 'app' must be at least 2 seconds."),
            (json!({"app": {"startTimeout": 0}}), "Granular start timeout on container 'app' must be at least 2 seconds."),
            (json!({"app": {"stopTimeout": 600}}), "registers"),
            (
                json!({"app": {"restartPolicy": {"enabled": true, "restartAttemptPeriod": 59}}}),
                "The 'restartAttemptPeriod' setting for container 'app' must be between 60 and 1800.",
            ),
            (
                json!({"app": {"restartPolicy": {"enabled": true, "ignoredExitCodes": vec![0; 51]}}}),
                "The 'ignoredExitCodes' setting for container 'app' must have at most 50 values.",
            ),
            (
                json!({"app": {"restartPolicy": {"enabled": true, "ignoredExitCodes": [256]}}}),
                "The 'ignoredExitCodes' setting for container 'app' must be between 0 and 255.",
            ),
            (json!({"app": {"credentialSpecs": ["a", "b"]}}), "Container 'app' can have at most one credential spec."),
        ],
    );
}

#[test]
fn resources_have_rules() {
    table(
        bridge,
        vec![
            (json!({"cpu": "1 vCPU", "memory": "2GB"}), "registers"),
            (json!({"cpu": "64"}), "Invalid 'cpu' setting for task."),
            (json!({"cpu": "196609"}), "Invalid 'cpu' setting for task."),
            (json!({"cpu": "a lot"}), "Invalid 'cpu' setting for task."),
            (json!({"cpu": ""}), "Invalid 'cpu' setting for task."),
            (json!({"memory": "512MB"}), "Invalid 'memory' setting for task."),
            (json!({"memory": "0"}), "Invalid 'memory' setting for task."),
            (
                json!({"app": {"memory": null}}),
                "Invalid setting for container 'app'. At least one of 'memory' or 'memoryReservation' must be specified.",
            ),
            (json!({"app": {"memory": null}, "memory": "512"}), "registers"),
            (json!({"app": {"memory": 3}}), "Invalid setting for container 'app'. 'memory' must be at least 4."),
            (
                json!({"app": {"memoryReservation": 256}}),
                "Invalid setting for container 'app'. 'memory' must be greater than or equal to 'memoryReservation'.",
            ),
            (json!({"app": {"memoryReservation": 128}}), "registers"),
            (json!({"memory": "100"}), "The 'memory' setting for container 'app' is greater than for the task."),
            (
                json!({"memory": "150", "app": {"memoryReservation": 100}}),
                "The sum of all container 'memoryReservation' values cannot be greater than the value of the task 'memory'.",
            ),
            (json!({"app": {"cpu": -1}}), "Invalid 'cpu' setting for container 'app'."),
            (
                json!({"cpu": "256", "app": {"cpu": 257}}),
                "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.",
            ),
            (json!({"app": {"cpu": 257}}), "registers"),
            (json!({"app": {"resourceRequirements": [{"type": "GPU", "value": "1"}]}}), "registers"),
            (
                json!({"app": {"resourceRequirements": [{"type": "GPU", "value": "some"}]}}),
                "Invalid 'GPU' resource requirement for container 'app'.",
            ),
            (
                json!({"app": {"resourceRequirements": [{"type": "NeuronDevice", "value": "1"}]}}),
                "Invalid 'NeuronDevice' resource requirement for container 'app'.",
            ),
            (
                json!({"app": {"resourceRequirements": [{"type": "InferenceAccelerator", "value": "d"}]}}),
                "Unsupported resource requirement for container 'app'.",
            ),
        ],
    );
}

#[test]
fn networks_have_rules() {
    table(
        bridge,
        vec![
            (json!({"app": {"links": ["log:logger"]}}), "registers"),
            (json!({"app": {"links": ["db"]}}), "Invalid 'links' setting. Unknown container: 'db'."),
            (json!({"app": {"links": ["log"]}, "networkMode": "awsvpc"}), "Links are not supported when networkMode=awsvpc."),
            (json!({"app": {"links": ["log"]}, "networkMode": "host"}), "Links are not supported when networkMode=host."),
            (
                json!({"app": {"hostname": "h"}, "networkMode": "awsvpc"}),
                "hostname is not supported on container when networkMode=awsvpc.",
            ),
            (json!({"app": {"hostname": "h"}}), "registers"),
            (
                json!({"app": {"extraHosts": [{"hostname": "h", "ipAddress": "1.2.3.4"}]}, "networkMode": "awsvpc"}),
                "Extra hosts are not supported on container when networkMode=awsvpc.",
            ),
            (
                json!({"app": {"dnsServers": ["1.1.1.1"]}, "networkMode": "awsvpc"}),
                "DNS servers are not supported on container when networkMode=awsvpc.",
            ),
            (
                json!({"app": {"dnsSearchDomains": ["a"]}, "networkMode": "awsvpc"}),
                "DNS search domains are not supported on container when networkMode=awsvpc.",
            ),
            (
                json!({"app": {"disableNetworking": true}, "networkMode": "awsvpc"}),
                "Disable Networking is not supported on container when networkMode=awsvpc.",
            ),
            (
                json!({"proxyConfiguration": {"containerName": "log"}}),
                "APPMESH proxy configuration is only supported in networkMode=awsvpc",
            ),
            (
                json!({"proxyConfiguration": {"containerName": "envoy"}, "networkMode": "awsvpc"}),
                "Proxy container [envoy] does not exist.",
            ),
            (json!({"proxyConfiguration": {"containerName": "log"}, "networkMode": "awsvpc"}), "Ingress port not found"),
        ],
    );
}

#[test]
fn ports_have_rules() {
    table(
        bridge,
        vec![
            (json!({"app": {"portMappings": [{"containerPort": 80}, {"containerPort": 80}]}}), "registers"),
            (
                json!({"app": {"portMappings": [{"containerPort": 53}, {"containerPort": 53, "protocol": "udp"}]}, "networkMode": "awsvpc"}),
                "registers",
            ),
            (json!({"app": {"portMappings": [{"hostPort": 80}]}}), "Invalid 'containerPort' setting for container 'app'."),
            (
                json!({"app": {"portMappings": [{"containerPort": 65536}]}}),
                "Invalid 'containerPort' setting for container 'app'.",
            ),
            (
                json!({"app": {"portMappings": [{"containerPort": 80, "hostPort": -1}]}}),
                "Invalid 'hostPort' setting for container 'app'.",
            ),
            (
                json!({"app": {"portMappings": [{"containerPort": 80}]}, "networkMode": "none"}),
                "Port mappings are not supported when networkMode=none.",
            ),
            (
                json!({"app": {"portMappings": [{"containerPort": 80, "hostPort": 8080}]}, "networkMode": "awsvpc"}),
                "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
            ),
            (
                json!({"app": {"portMappings": [{"containerPort": 80, "hostPort": 0}]}, "networkMode": "host"}),
                "When networkMode=host, the host ports and container ports in port mappings must match.",
            ),
            (
                json!({"app": {"portMappings": [{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 80}]}}),
                "TCP host port '80' is mapped multiple times in task.",
            ),
            (
                json!({"app": {"portMappings": [{"containerPort": 80}, {"containerPort": 80}]}, "networkMode": "awsvpc"}),
                "TCP container port '80' is used multiple times in task when networkMode=awsvpc.",
            ),
            (
                json!({"app": {"portMappings": [{"containerPortRange": "8080-8090"}, {"containerPort": 8085}]}, "networkMode": "awsvpc"}),
                "TCP container port '8085' is used multiple times in task when networkMode=awsvpc.",
            ),
            (json!({"app": {"portMappings": [{"containerPortRange": "8080-8090"}]}}), "registers"),
            (
                json!({"app": {"portMappings": [{"containerPortRange": "8090-8080"}]}}),
                "Invalid 'containerPortRange' setting for container 'app'.",
            ),
            (
                json!({"app": {"portMappings": [{"containerPortRange": "0-70000"}]}}),
                "Invalid 'containerPortRange' setting for container 'app'.",
            ),
            (
                json!({"app": {"portMappings": [{"containerPortRange": "1-2", "containerPort": 1}]}}),
                "Invalid port mapping for container 'app', cannot specify both single port and port range.",
            ),
            (
                json!({"app": {"portMappings": [{"containerPortRange": "1-2"}]}, "networkMode": "host"}),
                "Container port ranges are not supported when networkMode=host.",
            ),
            (
                json!({"app": {"portMappings": [{"containerPort": 80, "name": "Web"}]}}),
                "Invalid port mapping name 'Web' for container 'app'.",
            ),
            (
                json!({"app": {"portMappings": [{"containerPort": 80, "name": "-w"}]}}),
                "Invalid port mapping name '-w' for container 'app'.",
            ),
            (
                json!({"app": {"portMappings": [{"containerPort": 80, "name": "w"}, {"containerPort": 81, "name": "w"}]}, "networkMode": "awsvpc"}),
                "When networkMode=awsvpc, port mapping name is already used",
            ),
        ],
    );
}

#[test]
fn health_checks_and_the_kernel_have_rules() {
    table(
        bridge,
        vec![
            (json!({"app": {"healthCheck": {"command": ["/healthcheck"]}}}), "registers"),
            (json!({"app": {"healthCheck": {"command": []}}}), "Health check command must not be empty for container 'app'"),
            (
                json!({"app": {"healthCheck": {"command": ["CMD", "x"], "interval": 301}}}),
                "Health check interval must be less than or equal to the maximum allowed value 300 for container 'app'",
            ),
            (
                json!({"app": {"healthCheck": {"command": ["CMD", "x"], "interval": 4}}}),
                "Health check interval must be greater than or equal to the minimum allowed value 5 for container 'app'",
            ),
            (
                json!({"app": {"healthCheck": {"command": ["CMD", "x"], "timeout": 61}}}),
                "Health check timeout must be less than or equal to the maximum allowed value 60 for container 'app'",
            ),
            (
                json!({"app": {"healthCheck": {"command": ["CMD", "x"], "retries": 0}}}),
                "Health check retries must be greater than or equal to the minimum allowed value 1 for container 'app'",
            ),
            (
                json!({"app": {"healthCheck": {"command": ["CMD", "x"], "startPeriod": 301}}}),
                "Health check startPeriod must be less than or equal to the maximum allowed value 300 for container 'app'",
            ),
            (
                json!({"app": {"ulimits": [{"name": "nofile", "softLimit": 2, "hardLimit": 1}]}}),
                "Soft limit exceeds hard limit for ulimit nofile",
            ),
            (json!({"app": {"ulimits": [{"name": "core", "softLimit": 9, "hardLimit": -1}]}}), "registers"),
            (json!({"app": {"linuxParameters": {"swappiness": 101}}}), "Invalid 'swappiness' setting for container 'app'."),
            (json!({"app": {"linuxParameters": {"maxSwap": -1}}}), "Invalid 'maxSwap' setting for container 'app'."),
            (
                json!({"app": {"linuxParameters": {"sharedMemorySize": 0}}}),
                "Invalid 'sharedMemorySize' setting for container 'app'.",
            ),
            (
                json!({"app": {"linuxParameters": {"tmpfs": [{"containerPath": "/t", "size": 0}]}}}),
                "Invalid 'tmpfs' setting for container 'app'.",
            ),
            (
                json!({"app": {"linuxParameters": {"devices": [{"hostPath": "null"}]}}}),
                "Invalid 'devices' setting for container 'app'.",
            ),
        ],
    );
}

#[test]
fn the_environment_has_rules() {
    let secret = |name: &str, from: &str| json!({"name": name, "valueFrom": from});
    let file = |value: &str| json!({"type": "s3", "value": value});
    table(
        bridge,
        vec![
            (json!({"app": {"secrets": [secret("A", "/a")]}, "executionRoleArn": ROLE}), "registers"),
            (
                json!({"app": {"secrets": [secret("A", "/a")]}}),
                "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
            ),
            (
                json!({"app": {"secrets": [secret("A", "/a"), secret("A", "/b")]}, "executionRoleArn": ROLE}),
                "Duplicate secret names found: A. Each secret name must be unique.",
            ),
            (
                json!({"app": {"secrets": [secret("A", "/a")], "environment": [{"name": "A", "value": ""}]}, "executionRoleArn": ROLE}),
                "The secret name must be unique and not shared with any new or existing environment variables set on the container, such as 'A'.",
            ),
            (json!({"app": {"dockerLabels": {"slipway.file./etc/a.conf": "x", "other": "y"}}}), "registers"),
            (json!({"app": {"dockerLabels": {"slipway.secret-file./a": "b"}}, "executionRoleArn": ROLE}), "registers"),
            (
                json!({"app": {"dockerLabels": {"slipway.secret-file./a": "b"}}}),
                "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
            ),
            (
                json!({"app": {"dockerLabels": {"slipway.file./etc/../a": "x"}}}),
                "The path of a file must be absolute and without '..', such as in 'slipway.file./etc/app.conf', not '/etc/../a'.",
            ),
            (json!({"app": {"secrets": [secret("A", "arn:aws:s3:::b")]}, "executionRoleArn": ROLE}), "Invalid arn syntax."),
            (
                json!({"app": {"secrets": [secret("A", "")]}, "executionRoleArn": ROLE}),
                "The secret's valueFrom should not be null or empty.",
            ),
            (json!({"app": {"environmentFiles": [file("arn:aws:s3:::b/a.env")]}}), "registers"),
            (json!({"app": {"environmentFiles": [file("s3://b/a.env")]}}), "Invalid arn syntax."),
            (
                json!({"app": {"environmentFiles": [file("arn:aws:s3:::b/a.txt")]}}),
                "The environment file must have a '.env' file extension.",
            ),
            (
                json!({"app": {"environmentFiles": vec![file("arn:aws:s3:::b/a.env"); 11]}}),
                "The maximum number of environment files was exceeded. Specify ten or less and try again.",
            ),
        ],
    );
}

#[test]
fn volumes_have_rules() {
    let efs = |efs: Value| json!({"volumes": [{"name": "v", "efsVolumeConfiguration": efs}]});
    table(
        bridge,
        vec![
            (
                json!({"volumes": [{"name": "v"}], "app": {"mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]}}),
                "registers",
            ),
            (json!({"app": {"mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]}}), "Unknown volume 'v'."),
            (json!({"app": {"mountPoints": [{"containerPath": "/v"}]}}), "Unknown volume 'null'."),
            (
                json!({"volumes": [{"name": "v"}], "app": {"mountPoints": [{"sourceVolume": "v"}]}}),
                "Mount point container path should not be null or empty.",
            ),
            (json!({"volumes": [{"name": "v"}, {"name": "v"}]}), "Volume names must be unique within a task definition."),
            (json!({"volumes": [{"name": "v v"}]}), "Volume name contains invalid characters."),
            (json!({"volumes": [{"name": "v", "host": {"sourcePath": ""}}]}), "host.sourcePath should not be blank."),
            (
                json!({"volumes": [{"name": "v", "host": {"sourcePath": "/v"}, "dockerVolumeConfiguration": {}}]}),
                "Volume 'v' can have only one volume configuration.",
            ),
            (
                json!({"volumes": [{"name": "v", "dockerVolumeConfiguration": {"autoprovision": true}}]}),
                "Volumes with autoprovision enabled must have scope 'shared'.",
            ),
            (
                json!({"volumes": [{"name": "v", "configuredAtLaunch": true}]}),
                "Volumes [v] are not referenced by any of the containers",
            ),
            (efs(json!({"fileSystemId": "fs-1"})), "registers"),
            (
                efs(json!({"fileSystemId": "fs-1", "transitEncryptionPort": 1})),
                "TransitEncryptionPort requires that TransitEncryption is enabled.",
            ),
            (
                efs(json!({"fileSystemId": "fs-1", "authorizationConfig": {"iam": "ENABLED"}})),
                "EFS IAM authorization requires TransitEncryption to be enabled.",
            ),
            (
                efs(
                    json!({"fileSystemId": "fs-1", "transitEncryption": "ENABLED", "rootDirectory": "/a", "authorizationConfig": {"accessPointId": "ap"}}),
                ),
                "When using an EFS access point, the root directory must either be set to \"/\" or be omitted.",
            ),
            (json!({"app": {"volumesFrom": [{"sourceContainer": "log"}]}}), "registers"),
            (
                json!({"app": {"volumesFrom": [{"sourceContainer": "db"}]}}),
                "Invalid 'volumesFrom' setting. Unknown container: 'db'.",
            ),
        ],
    );
}

#[test]
fn dependencies_have_rules() {
    let on = |name: &str, condition: &str| json!([{"containerName": name, "condition": condition}]);
    table(
        bridge,
        vec![
            (json!({"app": {"dependsOn": on("log", "START")}}), "registers"),
            (json!({"app": {"dependsOn": on("log", "SUCCESS")}}), "registers"),
            (json!({"app": {"dependsOn": on("db", "START")}}), "Cannot depend on container + 'db' because it does not exist"),
            (
                json!({"app": {"dependsOn": on("log", "HEALTHY")}}),
                "A dependency container with HEALTHY condition must have health check configured",
            ),
            (
                json!({"app": {"dependsOn": on("app", "COMPLETE")}}),
                "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container",
            ),
            (json!({"app": {"dependsOn": on("log", "STARTED")}}), "Invalid dependency condition 'STARTED'."),
            (json!({"app": {"dependsOn": on("app", "START")}}), "Container dependsOn contains a cycle"),
            (
                json!({"containerDefinitions": [
                    {"name": "a", "image": "i", "memory": 8, "dependsOn": on("b", "START")},
                    {"name": "b", "image": "i", "memory": 8, "dependsOn": on("c", "START")},
                    {"name": "c", "image": "i", "memory": 8, "dependsOn": on("b", "START")},
                ]}),
                "Container dependsOn contains a cycle",
            ),
        ],
    );
}

#[test]
fn logging_has_rules() {
    let awslogs = |options: Value| json!({"app": {"logConfiguration": {"logDriver": "awslogs", "options": options}}});
    let router = |options: Value| json!({"app": {"firelensConfiguration": {"type": "fluentbit", "options": options}}});
    table(
        bridge,
        vec![
            (awslogs(json!({"awslogs-group": "g", "awslogs-region": "r"})), "registers"),
            (awslogs(json!({"awslogs-region": "r"})), "Log driver awslogs requires options: awslogs-group"),
            (awslogs(json!({})), "Log driver awslogs requires options: awslogs-region, awslogs-group"),
            (
                awslogs(json!({"awslogs-group": "g", "awslogs-region": "r", "awslogs-endpoint": "e"})),
                "Log driver awslogs disallows options: awslogs-endpoint",
            ),
            (
                json!({"app": {"logConfiguration": {"logDriver": "splunk"}}}),
                "Log driver splunk requires options: splunk-token, splunk-url",
            ),
            (
                json!({"app": {"logConfiguration": {"logDriver": "splunk", "options": {"splunk-url": "u"}, "secretOptions": [{"name": "splunk-token", "valueFrom": "/t"}]}}}),
                "registers",
            ),
            (
                json!({"app": {"logConfiguration": {"logDriver": "awsfirelens"}}}),
                "When awsfirelens log driver is specified in log configuration, a firelens configuration object must be configured in one of the containers.",
            ),
            (router(json!({"config-file-type": "s3", "config-file-value": "arn:aws:s3:::b/c"})), "registers"),
            (router(json!({"config-file-type": "s3", "config-file-value": "s3://b/c"})), "Invalid arn syntax."),
            (router(json!({"config-file-type": "file"})), "Invalid 'firelensConfiguration' setting for container 'app'."),
        ],
    );
}

#[test]
fn fargate_has_rules() {
    let linux = |parameters: Value| json!({"app": {"linuxParameters": parameters}});
    let no = |what: &str| format!("Fargate compatible task definitions do not support {what}");
    let size = |cpu: u32, memory: u64| {
        format!(
            "No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. See the Amazon ECS documentation for the valid values."
        )
    };
    table(
        fargate,
        vec![
            (json!({}), "registers"),
            (json!({"networkMode": null}), "Fargate only supports network mode ‘awsvpc’."),
            (json!({"networkMode": "host"}), "Fargate only supports network mode ‘awsvpc’."),
            (json!({"cpu": null}), "Fargate requires that 'cpu' be defined at the task level."),
            (json!({"memory": null, "app": {"memory": 512}}), "Fargate requires that 'memory' be defined at the task level."),
            (json!({"cpu": ".25 vCPU", "memory": "0.5 GB"}), "registers"),
            (json!({"memory": "4096"}), &size(256, 4096)),
            (json!({"cpu": "300"}), &size(300, 512)),
            (json!({"cpu": "8192", "memory": "17408"}), &size(8192, 17408)),
            (json!({"cpu": "32 vCPU", "memory": "244GB"}), "registers"),
            (
                json!({"cpu": "512", "memory": "2048", "runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}}),
                &size(512, 2048),
            ),
            (
                json!({"pidMode": "host"}),
                "Tasks using the Fargate launch type do not support pidMode 'host'. The supported value for pidMode is 'task'.",
            ),
            (json!({"pidMode": "task"}), "registers"),
            (json!({"ipcMode": "task"}), &no("ipcMode")),
            (json!({"placementConstraints": [{"type": "memberOf", "expression": "attribute:x exists"}]}), &no("constraints")),
            (json!({"volumes": [{"name": "v", "host": {}}]}), "registers"),
            (json!({"volumes": [{"name": "v", "dockerVolumeConfiguration": {}}]}), &no("dockerVolumeConfiguration")),
            (
                json!({"app": {"privileged": true}}),
                "Fargate requires that the ‘privileged’ setting be ‘false’ at the container level.",
            ),
            (json!({"app": {"dockerSecurityOptions": ["no-new-privileges"]}}), &no("dockerSecurityOptions")),
            (linux(json!({"capabilities": {"add": ["NET_ADMIN"]}})), "NET_ADMIN is not allowed on Fargate."),
            (linux(json!({"capabilities": {"add": ["SYS_PTRACE"], "drop": ["ALL"]}})), "registers"),
            (linux(json!({"devices": [{"hostPath": "/dev/null"}]})), &no("devices")),
            (linux(json!({"sharedMemorySize": 64})), &no("sharedMemorySize")),
            (linux(json!({"maxSwap": 64})), &no("maxSwap")),
            (linux(json!({"initProcessEnabled": true, "tmpfs": [{"containerPath": "/t", "size": 8}]})), "registers"),
            (
                json!({"app": {"resourceRequirements": [{"type": "GPU", "value": "1"}]}}),
                "Tasks using the Fargate launch type do not support GPU resource requirements.",
            ),
            (
                json!({"app": {"stopTimeout": 121}}),
                "Tasks using the Fargate launch type must have a container stop timeout of less than 120 seconds.",
            ),
            (
                json!({"app": {"logConfiguration": {"logDriver": "json-file"}}}),
                "json-file is not a valid log driver. Must be one of [awslogs,splunk,awsfirelens]",
            ),
            (
                json!({"app": {"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g", "awslogs-region": "r"}}}}),
                "Fargate requires log configuration options to include awslogs-stream-prefix to support log driver awslogs.",
            ),
            (
                json!({"app": {"firelensConfiguration": {"type": "fluentbit", "options": {"config-file-type": "s3", "config-file-value": "arn:aws:s3:::b/c"}}}}),
                "Fargate launch type does not support FirelensConfiguration config file from 's3'",
            ),
            (json!({"ephemeralStorage": {"sizeInGiB": 200}}), "registers"),
        ],
    );
}

/// Every member that has rules, so that mutations reach them.
fn everything() -> Value {
    changed(
        fargate(),
        json!({
            "taskRoleArn": ROLE, "pidMode": "task", "tags": [{"key": "a", "value": "b"}], "ephemeralStorage": {"sizeInGiB": 21},
            "placementConstraints": [{"type": "memberOf", "expression": "attribute:x in [a, b] and not (task:group == 'c')"}],
            "volumes": [{"name": "v", "host": {"sourcePath": "/"}}, {"name": "w", "efsVolumeConfiguration": {"fileSystemId": "f", "transitEncryptionPort": 1}}],
            "proxyConfiguration": {"containerName": "app", "properties": [{"name": "AppPorts", "value": "1"}]},
            "app": {
                "cpu": 1, "memory": 64, "memoryReservation": 32, "links": ["app:x"], "dependsOn": [{"containerName": "app", "condition": "START"}],
                "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp", "name": "web"}, {"containerPortRange": "1-65535"}],
                "secrets": [{"name": "S", "valueFrom": "arn:aws:ssm:r:a:p"}], "environment": [{"name": "S", "value": "x"}],
                "environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::b/a.env"}], "ulimits": [{"name": "core", "softLimit": 1, "hardLimit": 1}],
                "mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}], "volumesFrom": [{"sourceContainer": "app"}],
                "healthCheck": {"command": ["CMD"], "interval": 5}, "restartPolicy": {"enabled": true, "restartAttemptPeriod": 60},
                "linuxParameters": {"swappiness": 1, "tmpfs": [{"containerPath": "/t", "size": 1}]}, "resourceRequirements": [{"type": "GPU", "value": "1"}],
                "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g"}}, "firelensConfiguration": {"type": "fluentd", "options": {}},
            },
        }),
    )
}

#[test]
fn no_definition_is_a_panic() {
    let strings = [
        "",
        "a",
        "-",
        "é\u{1F600}",
        "arn:",
        "arn:aws:iam::123456789012:role/",
        "99999999999999999999",
        "1-",
        "@",
        "sha256:",
        "(((",
        "\0",
    ];
    let numbers = [i64::from(i32::MIN), -1, 0, 1, 65536, i64::from(i32::MAX)];
    let mut read = 0;
    for seed in 0..3000 {
        let mut rng = Rng::from_seed(seed);
        let mut definition = everything();
        for _ in 0..=rng.below(3) {
            mutate(&mut definition, &mut rng, &strings, &numbers);
        }
        let Ok(request) = serde_json::from_value::<RegisterTaskDefinitionRequest>(definition) else { continue };
        read += 1;
        let (first, second) = (check(&request), check(&request));
        assert_eq!(first, second, "seed {seed}");
        if first.is_ok() {
            let mut filled = request.clone();
            crate::task_definition::defaults::fill(&mut filled);
            assert_eq!(check(&filled), Ok(()), "seed {seed}: what AWS fills in registers as well");
        }
    }
    assert!(read > 1000, "only {read} definitions had the right types");
}

/// Changes one value anywhere in the tree: another of its type, null, gone, or twice.
fn mutate(value: &mut Value, rng: &mut Rng, strings: &[&str], numbers: &[i64]) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            let name = members.keys().nth(rng.below(members.len() as u64) as usize).expect("below the length").clone();
            if rng.chance(10) {
                members.remove(&name);
            } else if let Some(member) = members.get_mut(&name) {
                mutate(member, rng, strings, numbers);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let at = rng.below(items.len() as u64) as usize;
            match rng.below(10) {
                0 => _ = items.remove(at),
                1 => items.push(items[at].clone()),
                _ => mutate(&mut items[at], rng, strings, numbers),
            }
        }
        Value::String(text) => *text = rng.pick(strings).expect("there are some").repeat(1 + rng.below(3) as usize),
        Value::Number(_) => *value = json!(rng.pick(numbers)),
        Value::Bool(truth) => *truth = !*truth,
        _ => *value = Value::Null,
    }
}
