//! Which attributes a container instance must have to run a definition: what AWS derives from the members that older agents
//! or Dockers did not know. Sorted by name.

use super::check::{Definition, items};
use api_ecs as api;
use api_ecs::{ContainerDefinition, LogDriver, NetworkMode, Volume};
use std::collections::BTreeSet;

const DOCKER: &str = "com.amazonaws.ecs.capability.docker-remote-api.1.";
const CAPABILITY: &str = "com.amazonaws.ecs.capability.";
const ECS: &str = "ecs.capability.";

pub fn required(definition: &Definition) -> Vec<api::Attribute> {
    let mut names = Names(BTreeSet::new());
    task(definition, &mut names);
    definition.containers.iter().for_each(|one| container(one, definition, &mut names));
    items(&definition.request.volumes).iter().for_each(|one| volume(one, &mut names));
    names.0.into_iter().map(|name| api::Attribute { name: Some(name), ..Default::default() }).collect()
}

struct Names(BTreeSet<String>);

impl Names {
    fn add(&mut self, needed: bool, prefix: &str, names: &[&str]) {
        if needed {
            self.0.extend(names.iter().map(|name| format!("{prefix}{name}")));
        }
    }
}

fn task(definition: &Definition, names: &mut Names) {
    let request = definition.request;
    let awsvpc = definition.mode == NetworkMode::Awsvpc;
    names.add(awsvpc, ECS, &["task-eni"]);
    names.add(awsvpc, DOCKER, &["18"]);
    let role = request.task_role_arn.as_deref().is_some_and(|role| !role.is_empty());
    let role_capability = if definition.mode == NetworkMode::Host { "task-iam-role-network-host" } else { "task-iam-role" };
    names.add(role, CAPABILITY, &[role_capability]);
    names.add(role, DOCKER, &["17"]);
    let sized = request.cpu.is_some() || request.memory.is_some();
    names.add(sized && !awsvpc, ECS, &["task-cpu-mem-limit"]);
    names.add(definition.cpu.is_some_and(|units| units > 10_240), ECS, &["increased-task-cpu-limit"]);
    let shares = request.pid_mode.is_some() || request.ipc_mode.is_some();
    names.add(shares, ECS, &["pid-ipc-namespace-sharing"]);
    names.add(shares, DOCKER, &["28"]);
    names.add(request.proxy_configuration.is_some(), ECS, &["aws-appmesh"]);
    names.add(request.enable_fault_injection == Some(true), ECS, &["fault-injection"]);
}

fn container(container: &ContainerDefinition, definition: &Definition, names: &mut Names) {
    security(container, names);
    image(container, definition, names);
    lifecycle(container, names);
    environment(container, names);
    if let Some(log) = &container.log_configuration {
        logging(log, definition, names);
    }
    if let Some(router) = &container.firelens_configuration {
        firelens(router, names);
    }
    names.add(container.memory_reservation.is_some(), DOCKER, &["21"]);
    let ranges = items(&container.port_mappings).iter().any(|mapping| mapping.container_port_range.is_some());
    names.add(ranges, ECS, &["network.container-port-range"]);
    let docker18 =
        container.docker_labels.is_some() || !items(&container.ulimits).is_empty() || container.log_configuration.is_some();
    names.add(docker18, DOCKER, &["18"]);
    let linux = container.linux_parameters.as_ref();
    names.add(linux.is_some_and(|linux| linux.init_process_enabled == Some(true)), DOCKER, &["25"]);
    names.add(linux.is_some_and(|linux| linux.shared_memory_size.is_some() || linux.tmpfs.is_some()), DOCKER, &["22"]);
    names.add(!items(&container.system_controls).is_empty(), DOCKER, &["24"]);
}

fn security(container: &ContainerDefinition, names: &mut Names) {
    names.add(container.privileged == Some(true), CAPABILITY, &["privileged-container"]);
    for option in items(&container.docker_security_options) {
        names.add(option.starts_with("label"), CAPABILITY, &["selinux"]);
        names.add(option.starts_with("apparmor"), CAPABILITY, &["apparmor"]);
        names.add(option.starts_with("credentialspec"), ECS, &["gmsa"]);
    }
}

/// `<account>.dkr.ecr.<region>.amazonaws.com/…` is pulled with AWS credentials: the role's if the definition has one.
fn image(container: &ContainerDefinition, definition: &Definition, names: &mut Names) {
    let registry = container.image.as_deref().and_then(|image| image.split_once('/')).map_or("", |(registry, _)| registry);
    let ecr = registry.contains(".dkr.ecr") && registry.contains(".amazonaws.com");
    names.add(ecr, CAPABILITY, &["ecr-auth"]);
    names.add(ecr, DOCKER, &["19"]);
    names.add(ecr && definition.request.execution_role_arn.is_some(), ECS, &["execution-role-ecr-pull"]);
    names.add(container.repository_credentials.is_some(), ECS, &["private-registry-authentication.secretsmanager"]);
}

fn lifecycle(container: &ContainerDefinition, names: &mut Names) {
    let ordered =
        !items(&container.depends_on).is_empty() || container.start_timeout.is_some() || container.stop_timeout.is_some();
    names.add(ordered, ECS, &["container-ordering"]);
    names.add(
        container.restart_policy.as_ref().is_some_and(|policy| policy.enabled == Some(true)),
        ECS,
        &["container-restart-policy"],
    );
    if let Some(health) = &container.health_check {
        names.add(true, ECS, &["container-health-check"]);
        names.add(true, DOCKER, &[if health.start_period.is_some() { "29" } else { "24" }]);
    }
}

fn environment(container: &ContainerDefinition, names: &mut Names) {
    names.add(!items(&container.environment_files).is_empty(), ECS, &["env-files.s3"]);
    for secret in items(&container.secrets) {
        names.add(true, ECS, &[&format!("secrets.{}.environment-variables", source_of(secret))]);
    }
}

fn source_of(secret: &api::Secret) -> &'static str {
    if secret.value_from.as_deref().is_some_and(|from| from.contains(":secretsmanager:")) { "asm" } else { "ssm" }
}

fn logging(log: &api::LogConfiguration, definition: &Definition, names: &mut Names) {
    let driver = log.log_driver.as_ref().map_or("", |driver| driver.as_str());
    let firelens = log.log_driver == Some(LogDriver::Awsfirelens);
    names.add(!firelens, CAPABILITY, &[&format!("logging-driver.{driver}")]);
    names.add(firelens, ECS, &["logging-driver.awsfirelens"]);
    let limited = log.options.as_ref().is_some_and(|options| options.contains_key("log-driver-buffer-limit"));
    names.add(firelens && limited, ECS, &["logging-driver.awsfirelens.log-driver-buffer-limit"]);
    let awslogs = log.log_driver == Some(LogDriver::Awslogs);
    names.add(awslogs, DOCKER, &["19"]);
    names.add(awslogs && definition.request.execution_role_arn.is_some(), ECS, &["execution-role-awslogs"]);
    for secret in items(&log.secret_options) {
        names.add(true, ECS, &[&format!("secrets.{}.bootstrap.log-driver", source_of(secret))]);
    }
}

fn firelens(router: &api::FirelensConfiguration, names: &mut Names) {
    let kind = router.r#type.as_ref().map_or("", |kind| kind.as_str());
    names.add(true, ECS, &[&format!("firelens.{kind}")]);
    let file_type = router.options.as_ref().and_then(|options| options.get("config-file-type"));
    names.add(file_type.is_some_and(|kind| kind == "s3"), ECS, &["firelens.options.config.s3"]);
    names.add(file_type.is_some_and(|kind| kind == "file"), ECS, &["firelens.options.config.file"]);
}

fn volume(volume: &Volume, names: &mut Names) {
    if let Some(docker) = &volume.docker_volume_configuration {
        names.add(true, ECS, &[&format!("docker-plugin.{}", docker.driver.as_deref().unwrap_or("local"))]);
        names.add(true, DOCKER, &["25"]);
    }
    if let Some(efs) = &volume.efs_volume_configuration {
        names.add(true, ECS, &["efs"]);
        names.add(efs.authorization_config.is_some(), ECS, &["efsAuth"]);
        names.add(true, DOCKER, &["25"]);
    }
    names.add(volume.s3files_volume_configuration.is_some(), ECS, &["storage.s3-files"]);
    names.add(volume.fsx_windows_file_server_volume_configuration.is_some(), ECS, &["fsxWindowsFileServer"]);
    names.add(volume.configured_at_launch == Some(true), ECS, &["storage.ebs-task-volume-attach"]);
}
