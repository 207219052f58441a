//! What users of the simulated system run: task definitions, and the programs in their containers, which are known by the
//! container's name.

use base::Rng;
use serde_json::{Value, json};

/// What a program does, by its name; see `Program::of`.
#[derive(Default)]
pub struct Program {
    /// Ends by itself within so many milliseconds, if at all, also in calm.
    ends_within_ms: Option<(u64, u64)>,
    exit_codes: &'static [i32],
    oom_killed: bool,
    /// Turns unhealthy some time after its start, or was never healthy.
    is_sick: bool,
    /// Cannot be executed.
    pub is_missing: bool,
}

/// One run of a program, its dice thrown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Life {
    pub end: Option<(u64, i32, bool)>,
    /// Ends only by SIGKILL.
    pub is_stubborn: bool,
    pub sick_after_ms: Option<u64>,
}

impl Program {
    pub fn of(container: &str) -> Program {
        let job = Program { ends_within_ms: Some((0, 3_000)), exit_codes: &[0, 0, 0, 0, 1], ..Program::default() };
        match container.split('-').next().unwrap_or_default() {
            "job" => job,
            "flash" => Program { ends_within_ms: Some((0, 1)), ..job },
            "flaky" => Program { ends_within_ms: Some((500, 80_000)), exit_codes: &[0, 1, 7], ..Program::default() },
            "hog" => Program { ends_within_ms: Some((100, 9_000)), exit_codes: &[137], oom_killed: true, ..Program::default() },
            "sick" => Program { is_sick: true, ..Program::default() },
            "missing" => Program { is_missing: true, ..Program::default() },
            _ => Program::default(),
        }
    }

    pub fn live(&self, rng: &mut Rng, calm: bool) -> Life {
        let code = rng.pick(self.exit_codes).copied();
        let own = self.ends_within_ms.map(|(least, most)| least + rng.below(most - least)).zip(code);
        let crash = (rng.chance(8) && !calm).then(|| (rng.below(40_000), 139));
        Life {
            end: own.or(crash).map(|(after_ms, code)| (after_ms, code, self.oom_killed && code == 137)),
            is_stubborn: rng.chance(10),
            sick_after_ms: self.is_sick.then(|| rng.below(3) * 10_000),
        }
    }
}

pub const FAMILIES: [&str; 18] = [
    "server", "job", "flash", "chain", "pair", "port", "dynamic", "big", "restart", "hog", "sick", "patience", "order",
    "missing", "several", "apart", "checked", "loose",
];

/// On Fargate, with an address of its own.
pub const FARGATE: &str = "fargate";

pub fn definition(family: &str) -> Value {
    match family {
        "server" | "job" | "flash" | "hog" | "missing" => task(family, &[container(family, json!({}))]),
        "chain" => task(
            family,
            &[
                container("job-first", json!({ "essential": false })),
                container("server", json!({ "dependsOn": after("job-first", "SUCCESS") })),
            ],
        ),
        "pair" => task(
            family,
            &[
                container("server", json!({ "healthCheck": check(json!({})) })),
                container("job-then", json!({ "essential": false, "dependsOn": after("server", "HEALTHY") })),
            ],
        ),
        "checked" => task(family, &[container("server", json!({ "healthCheck": check(json!({})) }))]),
        "port" => task(family, &[container("server", json!({ "portMappings": [{ "containerPort": 80, "hostPort": 8080 }] }))]),
        "dynamic" => task(
            family,
            &[
                container(
                    "server",
                    json!({ "portMappings": [{ "containerPort": 80 }, { "containerPort": 53, "protocol": "udp" }] }),
                ),
                container("server-aside", json!({ "links": ["server"], "essential": false })),
            ],
        ),
        "big" => task(family, &[container("server", json!({ "memory": 700, "memoryReservation": 600 }))]),
        "restart" => task(
            family,
            &[
                container(
                    "flaky",
                    json!({ "restartPolicy": { "enabled": true, "restartAttemptPeriod": 60, "ignoredExitCodes": [7] } }),
                ),
                container("server", json!({ "essential": false })),
            ],
        ),
        "sick" => task(family, &[container("sick", json!({ "healthCheck": check(json!({ "startPeriod": 8 })) }))]),
        "patience" => task(
            family,
            &[
                container(
                    "sick",
                    json!({ "startTimeout": 7, "essential": false, "healthCheck": check(json!({ "retries": 9 })) }),
                ),
                container("server", json!({ "dependsOn": after("sick", "HEALTHY") })),
            ],
        ),
        "order" => task(
            family,
            &[
                container("server-below", json!({ "stopTimeout": 5 })),
                container("server-above", json!({ "stopTimeout": 2, "dependsOn": after("server-below", "START") })),
                container("flaky", json!({ "essential": false })),
            ],
        ),
        "several" => {
            let names = ["server", "job", "job-other", "flaky", "server-aside"];
            task(family, &names.map(|name| container(name, json!({ "essential": name == "server" }))))
        }
        "loose" => task(
            family,
            &[container("server", json!({})), container("server-aside", json!({ "versionConsistency": "disabled" }))],
        ),
        "apart" => {
            let mut task = task(family, &[container("server", json!({}))]);
            task["placementConstraints"] =
                json!([{ "type": "memberOf", "expression": "attribute:ecs.availability-zone != zone-b" }]);
            task
        }
        _ => fargate(),
    }
}

/// What comes of a task of the family, if nothing disturbs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// It runs, healthy, until it is stopped.
    Good,
    /// It is never healthy.
    Hopeless,
    /// Nobody knows.
    Erratic,
}

pub fn nature(family: &str) -> Nature {
    match family {
        "server" | "checked" | "port" | "dynamic" | "big" | "order" | "several" | "apart" | "loose" | FARGATE => Nature::Good,
        "flash" | "missing" => Nature::Hopeless,
        _ => Nature::Erratic,
    }
}

/// Of what services run: more of what is good.
pub const OF_SERVICES: [&str; 18] = [
    "server", "server", "server", "several", "order", "dynamic", "big", "apart", "port", "pair", "checked", "missing", "flash",
    "sick", "job", "restart", "loose", "loose",
];

pub fn is_fargate(family: &str) -> bool {
    family == FARGATE
}

/// `apart` says where it may not be.
pub fn may_be_in(family: &str, zone: &str) -> bool {
    family != "apart" || zone != "zone-b"
}

/// What a task asks of a node.
#[derive(Default)]
pub struct Need {
    pub cpu_units: u32,
    pub memory_mib: u64,
    pub host_port: Option<u16>,
}

pub fn need(family: &str) -> Need {
    if is_fargate(family) {
        return Need { cpu_units: 256, memory_mib: 512, host_port: None };
    }
    let definition = definition(family);
    let mut need = Need::default();
    for container in definition["containerDefinitions"].as_array().into_iter().flatten() {
        need.cpu_units += container["cpu"].as_u64().and_then(|cpu| u32::try_from(cpu).ok()).unwrap_or_default();
        need.memory_mib += container["memoryReservation"].as_u64().or(container["memory"].as_u64()).unwrap_or_default();
        let ports = container["portMappings"].as_array().into_iter().flatten();
        let fixed = ports.filter_map(|port| port["hostPort"].as_u64()).find_map(|port| u16::try_from(port).ok());
        need.host_port = need.host_port.or(fixed);
    }
    need
}

/// Whether all tasks of a deployment run the same image in it, as its definition has it.
pub fn is_consistent(family: &str, container: &str) -> bool {
    let definition = definition(family);
    let mut declared = definition["containerDefinitions"].as_array().into_iter().flatten();
    declared.any(|one| one["name"] == container && one["versionConsistency"] != "disabled")
}

/// What a container of a family waits for: others, and for what of them.
pub fn dependencies(family: &str, container: &str) -> Vec<(String, String)> {
    let definition = definition(family);
    let mut declared = definition["containerDefinitions"].as_array().into_iter().flatten();
    let depends_on = declared.find(|one| one["name"] == container).map(|one| one["dependsOn"].clone()).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    depends_on.as_array().into_iter().flatten().map(|on| (text(&on["containerName"]), text(&on["condition"]))).collect()
}

fn fargate() -> Value {
    let mut task = task(FARGATE, &[container("server", json!({})), container("job", json!({ "essential": false }))]);
    task["networkMode"] = json!("awsvpc");
    task["requiresCompatibilities"] = json!(["FARGATE"]);
    task["cpu"] = json!("256");
    task["memory"] = json!("512");
    task
}

fn task(family: &str, containers: &[Value]) -> Value {
    json!({ "family": family, "containerDefinitions": containers })
}

fn container(name: &str, members: Value) -> Value {
    let mut container = json!({ "name": name, "image": "app", "memory": 64, "cpu": 64 });
    if let (Some(container), Value::Object(members)) = (container.as_object_mut(), members) {
        container.extend(members);
    }
    container
}

fn after(name: &str, condition: &str) -> Value {
    json!([{ "containerName": name, "condition": condition }])
}

fn check(members: Value) -> Value {
    let mut check = json!({ "command": ["CMD", "true"], "interval": 5, "retries": 2, "timeout": 2 });
    if let (Some(check), Value::Object(members)) = (check.as_object_mut(), members) {
        check.extend(members);
    }
    check
}
