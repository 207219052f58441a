//! Making tasks: what RunTask and StartTask have in common. Everything is checked before the first task exists; then each
//! is a row and an entry in its node's ledger, in one transaction.

use super::capacity::Share;
use super::claim::{self, Claim, Size};
use super::overrides::{self, Overrides};
use super::{Last, Membership, Task, network, put, unbuilt};
use crate::cluster::Cluster;
use crate::node::ledger;
use crate::placement::{Candidate, Wanted};
use crate::settings;
use crate::tags;
use crate::task_definition::{self, TaskDefinition};
use api_ecs as api;
use base::Scope;
use kernel::Call;
use std::sync::Arc;
use store::{Image, Tx};
use workload::{Desired, TaskStatus};

/// Of Fargate, what LATEST means first.
const PLATFORM_VERSIONS: [&str; 2] = ["1.4.0", "1.3.0"];

/// The members of RunTask and StartTask that are the same.
#[derive(Default)]
pub struct Ask {
    pub overrides: Option<api::TaskOverride>,
    pub network_configuration: Option<api::NetworkConfiguration>,
    pub platform_version: Option<String>,
    pub group: Option<String>,
    pub started_by: Option<String>,
    pub tags: Option<Vec<api::Tag>>,
    pub propagate_tags: Option<api::PropagateTags>,
    pub enable_ecs_managed_tags: bool,
    pub enable_execute_command: bool,
}

/// Everything about new tasks but where they go.
pub struct Launch {
    pub definition: Arc<TaskDefinition>,
    pub claim: Claim,
    pub group: String,
    cluster: Cluster,
    size: Size,
    ask: Ask,
    tags: Vec<api::Tag>,
    member: Option<Membership>,
}

/// Where one of them goes.
pub struct Spot {
    pub node: String,
    pub container_instance: Option<String>,
    pub availability_zone: Option<String>,
}

impl Spot {
    pub fn of(candidate: &Candidate) -> Spot {
        let facts = &candidate.node.facts;
        Spot {
            node: facts.id.clone(),
            container_instance: candidate.instance.map(|instance| instance.id.clone()),
            availability_zone: Some(facts.availability_zone.clone()).filter(|zone| !zone.is_empty()),
        }
    }
}

impl Launch {
    pub fn new(image: &Image, cluster: &Cluster, definition: &str, ask: Ask) -> Result<Launch, api::Error> {
        Launch::of(cluster, startable(image, &cluster.scope, definition)?, ask)
    }

    /// Of a definition that may have been deregistered since it was chosen.
    pub fn of(cluster: &Cluster, definition: Arc<TaskDefinition>, ask: Ask) -> Result<Launch, api::Error> {
        overrides::check(ask.overrides.as_ref(), &definition.definition)?;
        unbuilt::refuse(&definition.definition)?;
        let group = group(&ask, &definition.family)?;
        check_started_by(ask.started_by.as_deref())?;
        let overrides = Overrides::new(ask.overrides.as_ref());
        let (claim, size) = (claim::claim(&definition.definition, &overrides), claim::size(&definition.definition, &overrides));
        let tags = tags(&ask, &definition, cluster)?;
        Ok(Launch { definition, claim, group, cluster: cluster.clone(), size, ask, tags, member: None })
    }

    /// Tasks of a service, whose definition may be INACTIVE by now.
    pub fn of_service(cluster: &Cluster, definition: Arc<TaskDefinition>, ask: Ask, group: String, member: Membership) -> Launch {
        let overrides = Overrides::default();
        let (claim, size) = (claim::claim(&definition.definition, &overrides), claim::size(&definition.definition, &overrides));
        let tags = ask.tags.clone().unwrap_or_default();
        Launch { definition, claim, group, cluster: cluster.clone(), size, ask, tags, member: Some(member) }
    }

    /// Of a service, one task more than is desired.
    pub fn beside_the_desired(mut self) -> Launch {
        self.member.iter_mut().for_each(|member| member.is_extra = true);
        self
    }

    pub fn group_key(&self) -> String {
        ledger::group_key(&self.cluster.scope, &self.cluster.name, &self.group)
    }

    /// Refuses what this share's launch type does not do.
    pub fn check(&self, share: &Share) -> Result<(), api::Error> {
        let definition = &self.definition.definition;
        let launch_type = share.launch_type.as_str();
        let mut compatible = definition.compatibilities.iter().flatten();
        // Every definition is compatible with EC2.
        if launch_type != "EC2" && !compatible.any(|compatibility| compatibility.as_str() == launch_type) {
            let message = format!("Task definition does not support launch_type {launch_type}.");
            return Err(api::Error::invalid_parameter(message));
        }
        if !share.is_fargate() && self.ask.platform_version.is_some() {
            let message = format!("The platform version must be null when specifying an {launch_type} launch type.");
            return Err(api::Error::invalid_parameter(message));
        }
        if share.is_fargate() && !PLATFORM_VERSIONS.contains(&self.platform_version()) {
            return Err(api::Error::platform_unknown("The specified platform version does not exist."));
        }
        network::check(definition, self.ask.network_configuration.as_ref(), &share.launch_type)
    }

    /// Attributes an instance must have for it.
    pub fn wanted(&self, share: &Share) -> Vec<Wanted> {
        let definition = &self.definition.definition;
        let required = definition.requires_attributes.iter().flatten().filter(|_| !share.is_fargate());
        let mut wanted: Vec<Wanted> = required
            .filter_map(|attribute| Some(Wanted { name: attribute.name.clone()?, value: attribute.value.clone() }))
            .collect();
        wanted.extend(platform(definition));
        wanted
    }

    /// GPUs its containers reserve, overrides applied.
    pub fn gpus(&self) -> u32 {
        let overrides = Overrides::new(self.ask.overrides.as_ref());
        let containers = self.definition.definition.container_definitions.iter().flatten();
        containers.map(|container| overrides.gpus_of(container)).fold(0, u32::saturating_add)
    }

    /// One task, on the node it goes to.
    pub fn start(&self, call: &mut Call, tx: &mut Tx, share: &Share, spot: Spot) -> Task {
        let task = self.task(call, tx, share, spot);
        let taken = task.node.as_ref().map(|node| ledger::take(tx, node, &task));
        assert!(taken.is_none_or(|taken| taken.is_ok()), "placement gives only what the ledger has");
        put(call, tx, task.clone());
        task
    }

    fn task(&self, call: &mut Call, image: &Image, share: &Share, spot: Spot) -> Task {
        let definition = &self.definition.definition;
        let containers = definition.container_definitions.iter().flatten().filter_map(|container| container.name.clone());
        let container_ids = containers.map(|name| (name, call.rng.uuid())).collect();
        let is_awsvpc = network::is_awsvpc(definition);
        Task {
            scope: self.cluster.scope.clone(),
            id: call.rng.hex32_at(call.now),
            cluster: self.cluster.name.clone(),
            family: self.definition.family.clone(),
            revision: self.definition.revision,
            overrides: self.ask.overrides.clone(),
            network_configuration: self.ask.network_configuration.clone(),
            launch_type: Some(share.launch_type.clone()),
            capacity_provider: share.capacity_provider.clone(),
            platform_version: share.is_fargate().then(|| self.platform_version().to_owned()),
            group: self.group.clone(),
            started_by: self.ask.started_by.clone(),
            tags: self.tags.clone(),
            enable_execute_command: self.ask.enable_execute_command,
            cpu_units: self.size.cpu_units,
            memory_mib: self.size.memory_mib,
            claim: self.claim.clone(),
            node: Some(spot.node),
            container_instance: spot.container_instance,
            availability_zone: spot.availability_zone,
            placed_after: Some(image.revision()),
            desired: Desired::Running,
            last: if is_awsvpc { Last::Provisioning } else { Last::Pending },
            status: TaskStatus::default(),
            container_ids,
            attachment_id: is_awsvpc.then(|| call.rng.uuid()),
            stop_code: None,
            stopped_reason: None,
            created_at: call.now,
            connectivity_at: None,
            started_at: None,
            stopping_at: None,
            stopped_at: None,
            stop_recorded_at: None,
            version: 1,
            member: self.member.clone(),
            protected_until: None,
            logs_block: self.logs_block(call, image),
        }
    }

    /// Services are nobody's: for them holds what holds for the account.
    fn logs_block(&self, call: &Call, image: &Image) -> bool {
        settings::value_of(image, &self.cluster.scope, &call.caller.arn, "defaultLogDriverMode") == "blocking"
    }

    fn platform_version(&self) -> &str {
        let given = self.ask.platform_version.as_deref().filter(|version| !version.eq_ignore_ascii_case("LATEST"));
        given.unwrap_or(PLATFORM_VERSIONS[0])
    }
}

/// The definition that is given, if it is ACTIVE.
pub fn startable(image: &Image, scope: &Scope, given: &str) -> Result<Arc<TaskDefinition>, api::Error> {
    let definition = task_definition::resolve_arc(image, scope, given)?;
    if !definition.is_active() {
        return Err(api::Error::client("TaskDefinition is inactive"));
    }
    Ok(definition)
}

/// What a definition says of it in the words of nodes. One that says nothing runs on either architecture.
fn platform(definition: &api::TaskDefinition) -> Vec<Wanted> {
    let platform = definition.runtime_platform.clone().unwrap_or_default();
    let wanted = |name: &str, value: String| Wanted { name: name.to_owned(), value: Some(value) };
    let architecture = platform.cpu_architecture.map(|architecture| architecture.as_str().to_ascii_lowercase());
    let is_windows = platform.operating_system_family.is_some_and(|family| family.as_str().starts_with("WINDOWS"));
    let windows = is_windows.then(|| wanted("ecs.os-type", "windows".to_owned()));
    architecture.map(|value| wanted("ecs.cpu-architecture", value)).into_iter().chain(windows).collect()
}

fn group(ask: &Ask, family: &str) -> Result<String, api::Error> {
    let Some(group) = ask.group.as_deref().filter(|group| !group.is_empty()) else { return Ok(format!("family:{family}")) };
    if group.chars().count() > 255 {
        return Err(api::Error::invalid_parameter("Group should have at most 255 characters."));
    }
    // Groups of services are given by the service scheduler alone.
    if group.starts_with("service:") {
        return Err(api::Error::invalid_parameter("Invalid namespace for group."));
    }
    Ok(group.to_owned())
}

fn check_started_by(started_by: Option<&str>) -> Result<(), api::Error> {
    let fits = |text: &str| text.len() <= 128 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_/".contains(c));
    match started_by {
        Some(text) if !fits(text) => Err(api::Error::invalid_parameter(
            "startedBy should have at most 128 characters, which are letters, numbers, hyphens, underscores and slashes.",
        )),
        _ => Ok(()),
    }
}

/// The definition's if they are to be propagated, then the request's, which win.
fn tags(ask: &Ask, definition: &TaskDefinition, cluster: &Cluster) -> Result<Vec<api::Tag>, api::Error> {
    let given = ask.tags.as_deref().unwrap_or_default();
    tags::check(given)?;
    let mut tags: Vec<api::Tag> = match ask.propagate_tags {
        Some(api::PropagateTags::TaskDefinition) => definition.tags.clone(),
        Some(api::PropagateTags::Service) => {
            return Err(api::Error::invalid_parameter(
                "Tags can be propagated from a service to the tasks of that service only.",
            ));
        }
        _ => Vec::new(),
    };
    tags.retain(|tag| !given.iter().any(|other| other.key == tag.key));
    tags.extend_from_slice(given);
    tags::check(&tags)?;
    if ask.enable_ecs_managed_tags {
        tags.push(api::Tag { key: Some("aws:ecs:clusterName".into()), value: Some(cluster.name.clone()) });
    }
    Ok(tags)
}
