//! Why a task cannot be placed, node by node: the checks of placement, asked of every container instance there is, those
//! that placement passes over included. Places nothing.

use super::Task;
use super::capacity::{self, Share};
use super::launch::{Ask, Launch};
use super::{network, placing};
use crate::capacity_provider::{self, CapacityProvider};
use crate::cluster::{self, Cluster};
use crate::container_instance::ContainerInstance;
use crate::placement::{Candidate, Reason, Request, Wanted, fit, fleet, request};
use crate::task_definition;
use api_ecs as api;
use base::Scope;
use serde::{Deserialize, Serialize};
use store::Image;

/// Any will do: placement does not look at it.
const SUBNET: &str = "subnet-any";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    pub task_definition_arn: String,
    pub cluster_arn: String,
    pub launch_type: String,
    pub cpu_units: u32,
    pub memory_mib: u64,
    /// Where the task is, if a task was asked about.
    pub placed_on: Option<String>,
    pub nodes: Vec<Verdict>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    pub node: String,
    pub container_instance_arn: Option<String>,
    pub fits: bool,
    /// As `failures[].reason` has it, or `DRAINING`.
    pub reason: Option<String>,
    /// The numbers or names behind the reason.
    pub detail: Option<String>,
}

/// What is to be explained: one more task like this.
pub struct Question<'a> {
    pub cluster: Option<&'a str>,
    pub task_definition: &'a str,
    pub launch_type: Option<api::LaunchType>,
    pub capacity_provider: Option<String>,
    pub overrides: Option<api::TaskOverride>,
    pub group: Option<String>,
}

/// One more task like this one.
pub fn task(image: &Image, task: &Task) -> Result<Explanation, api::Error> {
    let definition = task.task_definition_arn();
    let question = Question {
        cluster: Some(&task.cluster),
        task_definition: &definition,
        launch_type: task.launch_type.clone(),
        capacity_provider: task.capacity_provider.clone(),
        overrides: task.overrides.clone(),
        group: Some(task.group.clone()).filter(|group| !group.starts_with("service:")),
    };
    let placed_on = task.node.clone().filter(|_| !task.is_stopped());
    Ok(Explanation { placed_on, ..definition_in(image, &task.scope, question)? })
}

/// One task of a definition.
pub fn definition_in(image: &Image, scope: &Scope, question: Question<'_>) -> Result<Explanation, api::Error> {
    let cluster = cluster::find(image, scope, question.cluster)?;
    let mut share = capacity::shares(cluster, question.launch_type.as_ref(), None, 1)?.swap_remove(0);
    share.capacity_provider = question.capacity_provider.or(share.capacity_provider);
    let definition = task_definition::resolve(image, scope, question.task_definition)?;
    let network_configuration = network::is_awsvpc(&definition.definition).then(any_subnet);
    let ask = Ask { overrides: question.overrides, group: question.group, network_configuration, ..Ask::default() };
    let launch = Launch::new(image, cluster, question.task_definition, ask)?;
    launch.check(&share)?;
    let request = placement_request(&launch, &share)?;
    Ok(explanation(image, cluster, &launch, &share, &request))
}

/// One task of what is to be launched.
pub fn explanation(image: &Image, cluster: &Cluster, launch: &Launch, share: &Share, request: &Request) -> Explanation {
    Explanation {
        task_definition_arn: task_definition::arn(&cluster.scope, &launch.definition.family, launch.definition.revision),
        cluster_arn: cluster::arn(&cluster.scope, &cluster.name),
        launch_type: share.launch_type.to_string(),
        cpu_units: request.claim.cpu_units,
        memory_mib: request.claim.memory_mib,
        placed_on: None,
        nodes: if share.is_fargate() { nodes(image, request) } else { instances(image, cluster, share, request) },
    }
}

fn any_subnet() -> api::NetworkConfiguration {
    let awsvpc = api::AwsVpcConfiguration { subnets: Some(vec![SUBNET.into()]), ..Default::default() };
    api::NetworkConfiguration { awsvpc_configuration: Some(awsvpc) }
}

fn placement_request(launch: &Launch, share: &Share) -> Result<Request, api::Error> {
    let definition = &launch.definition.definition;
    Ok(Request {
        claim: launch.claim.clone(),
        gpus: launch.gpus(),
        attributes: launch.wanted(share),
        rules: if share.is_fargate() { Vec::new() } else { request::rules(definition, None)? },
        group_key: launch.group_key(),
        count: 1,
        ..Request::default()
    })
}

fn nodes(image: &Image, request: &Request) -> Vec<Verdict> {
    fleet::every_node(image).iter().map(|candidate| verdict(request, candidate)).collect()
}

fn instances(image: &Image, cluster: &Cluster, share: &Share, request: &Request) -> Vec<Verdict> {
    let provider = placing::provider(image, cluster, share);
    let rows = image.prefix::<ContainerInstance>(&format!("{}/{}/", cluster.scope, cluster.name));
    let of = |instance| {
        let running_tasks = fleet::running_tasks(image, instance);
        let verdict = verdict(request, &Candidate { running_tasks, ..fleet::candidate(image, instance) });
        match provider.filter(|provider| !capacity_provider::has(provider, instance)) {
            Some(provider) => foreign(verdict, provider, instance),
            None => verdict,
        }
    };
    rows.map(of).collect()
}

/// Placement never looks at it.
fn foreign(verdict: Verdict, provider: &CapacityProvider, instance: &ContainerInstance) -> Verdict {
    let group = instance.auto_scaling_group.as_deref().unwrap_or_default();
    let detail = format!("it is of the Auto Scaling group {group}, which is not that of {}", provider.name);
    Verdict { fits: false, reason: Some("CAPACITY PROVIDER".to_owned()), detail: Some(detail), ..verdict }
}

fn verdict(request: &Request, candidate: &Candidate) -> Verdict {
    let draining = candidate.instance.is_some_and(|instance| instance.draining);
    let (reason, detail) = match fit::check(request, candidate, 0) {
        _ if draining => (Some("DRAINING"), Some("it takes no new tasks".to_owned())),
        Ok(()) => (None, None),
        Err(reason) => (Some(reason.as_str()), Some(detail(reason, request, candidate))),
    };
    Verdict {
        node: candidate.instance.map_or(&candidate.node.facts.id, |instance| &instance.node).clone(),
        container_instance_arn: candidate.instance.map(ContainerInstance::arn),
        fits: reason.is_none(),
        reason: reason.map(str::to_owned),
        detail,
    }
}

fn detail(reason: Reason, request: &Request, candidate: &Candidate) -> String {
    let (claim, ledger, facts) = (&request.claim, candidate.ledger, &candidate.node.facts);
    match reason {
        Reason::Agent => "its agent is not connected".into(),
        Reason::Cpu => {
            let left = facts.cpu_units.saturating_sub(ledger.cpu_units);
            format!("{} CPU units are wanted, {left} of {} are left", claim.cpu_units, facts.cpu_units)
        }
        Reason::Memory => {
            let left = facts.memory_mib.saturating_sub(ledger.memory_mib);
            format!("{} MiB are wanted, {left} of {} are left", claim.memory_mib, facts.memory_mib)
        }
        Reason::Ports => format!("taken or reserved: {}", ports(request, candidate)),
        Reason::Gpu => format!("{} GPUs are wanted, it has none", request.gpus),
        Reason::Attribute => missing_attributes(request, candidate),
        Reason::MemberOf => "a memberOf expression of the definition is not true of it".into(),
        Reason::DistinctInstance => {
            format!("{} tasks of the group are there already", candidate.group_tasks(request))
        }
    }
}

fn ports(request: &Request, candidate: &Candidate) -> String {
    let (ledger, facts) = (candidate.ledger, &candidate.node.facts);
    let tcp = request.claim.ports_tcp.iter().filter(|p| ledger.ports_tcp.contains(p) || facts.reserved_ports.contains(p));
    let udp = request.claim.ports_udp.iter().filter(|p| ledger.ports_udp.contains(p) || facts.reserved_ports_udp.contains(p));
    let names: Vec<String> = tcp.map(|port| format!("{port}/tcp")).chain(udp.map(|port| format!("{port}/udp"))).collect();
    names.join(", ")
}

fn missing_attributes(request: &Request, candidate: &Candidate) -> String {
    let is_missing = |wanted: &&Wanted| match (candidate.attribute(&wanted.name), &wanted.value) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(value), Some(wanted)) => value != Some(wanted.as_str()),
    };
    let name = |wanted: &Wanted| match &wanted.value {
        Some(value) => format!("{}={value}", wanted.name),
        None => wanted.name.clone(),
    };
    let missing: Vec<String> = request.attributes.iter().filter(is_missing).map(name).collect();
    format!("it lacks {}", missing.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Plane, facts, scope};
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    fn check(definition: Value, launch_type: Option<api::LaunchType>, expected: Expect) {
        let mut plane = Plane::with_node();
        plane.join(workload::NodeFacts { memory_mib: 256, ..facts("n2") });
        plane.join(facts("n3"));
        plane.leave("n3");
        plane.join(facts("n4"));
        let instances = plane.ok("ListContainerInstances", json!({ "filter": "ec2InstanceId == n4" }));
        let n4 = &instances["containerInstanceArns"][0];
        plane.ok("UpdateContainerInstancesState", json!({ "containerInstances": [n4], "status": "DRAINING" }));
        plane.define("job", definition);
        let question = Question {
            cluster: None,
            task_definition: "job",
            launch_type,
            capacity_provider: None,
            overrides: None,
            group: None,
        };
        let text = match definition_in(plane.core.image(), &scope(), question) {
            Err(error) => error.to_string(),
            Ok(explanation) => lines(&explanation.nodes),
        };
        expected.assert_eq(&text);
    }

    /// Instances come in the order of their random ids.
    fn lines(verdicts: &[Verdict]) -> String {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
        let mut lines: Vec<String> =
            verdicts.iter().map(|v| format!("{} {} {}: {}\n", v.node, v.fits, text(&v.reason), text(&v.detail))).collect();
        lines.sort();
        lines.concat()
    }

    #[test]
    fn each_node_says_what_it_lacks() {
        check(
            json!({ "containerDefinitions": [{ "name": "a", "memory": 512,
                "portMappings": [{ "containerPort": 22, "hostPort": 8022, "protocol": "tcp" }] }] }),
            None,
            expect![[r#"
                n1 true -: -
                n2 false RESOURCE:MEMORY: 512 MiB are wanted, 256 of 256 are left
                n3 false AGENT: its agent is not connected
                n4 false DRAINING: it takes no new tasks
            "#]],
        );
        check(
            json!({ "containerDefinitions": [{ "name": "a", "cpu": 4096, "memory": 16 }] }),
            None,
            expect![[r#"
            n1 false RESOURCE:CPU: 4096 CPU units are wanted, 2048 of 2048 are left
            n2 false RESOURCE:CPU: 4096 CPU units are wanted, 2048 of 2048 are left
            n3 false AGENT: its agent is not connected
            n4 false DRAINING: it takes no new tasks
        "#]],
        );
        check(
            json!({ "containerDefinitions": [{ "name": "a", "memory": 16,
                "portMappings": [{ "containerPort": 80, "hostPort": 22, "protocol": "tcp" }] }] }),
            None,
            expect![[r#"
                n1 false RESOURCE:PORTS: taken or reserved: 22/tcp
                n2 false RESOURCE:PORTS: taken or reserved: 22/tcp
                n3 false AGENT: its agent is not connected
                n4 false DRAINING: it takes no new tasks
            "#]],
        );
        check(
            json!({ "containerDefinitions": [{ "name": "a", "memory": 16 }], "runtimePlatform": { "cpuArchitecture": "ARM64" } }),
            None,
            expect![[r#"
                n1 false ATTRIBUTE: it lacks ecs.cpu-architecture=arm64
                n2 false ATTRIBUTE: it lacks ecs.cpu-architecture=arm64
                n3 false AGENT: its agent is not connected
                n4 false DRAINING: it takes no new tasks
            "#]],
        );
        check(
            json!({ "containerDefinitions": [{ "name": "a", "memory": 16 }],
                "placementConstraints": [{ "type": "memberOf", "expression": "attribute:rack == 7" }] }),
            None,
            expect![[r#"
                n1 false MemberOf placement constraint unsatisfied.: a memberOf expression of the definition is not true of it
                n2 false MemberOf placement constraint unsatisfied.: a memberOf expression of the definition is not true of it
                n3 false AGENT: its agent is not connected
                n4 false DRAINING: it takes no new tasks
            "#]],
        );
    }

    #[test]
    fn instances_of_another_capacity_provider_are_said_to_be_so() {
        let mut plane = Plane::with_node();
        plane.join(workload::NodeFacts { auto_scaling_group: Some("batch".into()), ..facts("n2") });
        plane.define("job", json!({ "containerDefinitions": [{ "name": "a", "memory": 16 }] }));
        let body = json!({ "name": "web", "autoScalingGroupProvider": { "autoScalingGroupArn": "web" } });
        plane.ok("CreateCapacityProvider", body);
        let by_default = json!([{ "capacityProvider": "web", "weight": 1 }]);
        plane.ok(
            "PutClusterCapacityProviders",
            json!({ "cluster": "default", "capacityProviders": ["web"], "defaultCapacityProviderStrategy": by_default }),
        );
        let question = Question {
            cluster: None,
            task_definition: "job",
            launch_type: None,
            capacity_provider: None,
            overrides: None,
            group: None,
        };
        let explanation = definition_in(plane.core.image(), &scope(), question).unwrap();
        expect![[r#"
            n1 true -: -
            n2 false CAPACITY PROVIDER: it is of the Auto Scaling group batch, which is not that of web
        "#]]
        .assert_eq(&lines(&explanation.nodes));
    }

    #[test]
    fn what_no_node_could_take_is_refused_as_run_task_refuses_it() {
        let plain = json!({ "containerDefinitions": [{ "name": "a", "memory": 16 }] });
        check(
            plain,
            Some(api::LaunchType::Fargate),
            expect!["InvalidParameterException: Task definition does not support launch_type FARGATE."],
        );
    }
}
