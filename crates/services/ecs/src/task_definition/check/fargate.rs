//! What FARGATE takes: its sizes, and everything it lacks because the host is not the caller's. Also how a definition comes to
//! be compatible with it where the caller does not require it.
//! https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html

use super::{Definition, Verdict, items, refuse, refuse_if};
use api_ecs::{ContainerDefinition, LogConfiguration, LogDriver, NetworkMode, PidMode, ResourceType, Volume};

pub fn check(definition: &Definition) -> Verdict {
    network_mode(definition)?;
    size(definition)?;
    host_namespaces(definition)?;
    let constrained = !items(&definition.request.placement_constraints).is_empty();
    unsupported(constrained, "constraints")?;
    items(&definition.request.volumes).iter().try_for_each(volume)?;
    for container in definition.containers {
        privileges(container)?;
        kernel(container)?;
        gpu(container)?;
        timeouts(container)?;
        container.log_configuration.as_ref().map_or(Ok(()), logs)?;
        router(container)?;
    }
    Ok(())
}

fn unsupported(given: bool, what: &str) -> Verdict {
    refuse_if(given, || format!("Fargate compatible task definitions do not support {what}"))
}

fn network_mode(definition: &Definition) -> Verdict {
    refuse_if(definition.mode != NetworkMode::Awsvpc, || "Fargate only supports network mode ‘awsvpc’.".to_owned())
}

fn size(definition: &Definition) -> Verdict {
    let Some(cpu) = definition.cpu else { return refuse("Fargate requires that 'cpu' be defined at the task level.") };
    let Some(memory) = definition.memory else { return refuse("Fargate requires that 'memory' be defined at the task level.") };
    let exists = sizes(cpu).contains(&memory) && (cpu >= 1024 || !is_windows(definition));
    refuse_if(!exists, || {
        format!(
            "No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. See the Amazon ECS documentation for the valid values."
        )
    })
}

/// MiB that go with so many CPU units.
fn sizes(cpu: u32) -> Vec<u64> {
    let steps = |first: u64, last: u64, step: usize| (first..=last).step_by(step).collect();
    match cpu {
        256 => vec![512, 1024, 2048],
        512 => steps(1024, 4096, 1024),
        1024 => steps(2048, 8192, 1024),
        2048 => steps(4096, 16384, 1024),
        4096 => steps(8192, 30720, 1024),
        8192 => steps(16384, 61440, 4096),
        16384 => steps(32768, 122_880, 8192),
        32768 => vec![61440, 122_880, 249_856],
        _ => Vec::new(),
    }
}

pub fn is_windows(definition: &Definition) -> bool {
    let family = definition.request.runtime_platform.as_ref().and_then(|platform| platform.operating_system_family.as_ref());
    family.is_some_and(|family| family.as_str().starts_with("WINDOWS"))
}

fn host_namespaces(definition: &Definition) -> Verdict {
    refuse_if(definition.request.pid_mode == Some(PidMode::Host), || {
        "Tasks using the Fargate launch type do not support pidMode 'host'. The supported value for pidMode is 'task'.".to_owned()
    })?;
    unsupported(definition.request.ipc_mode.is_some(), "ipcMode")
}

fn volume(volume: &Volume) -> Verdict {
    unsupported(volume.docker_volume_configuration.is_some(), "dockerVolumeConfiguration")?;
    unsupported(volume.fsx_windows_file_server_volume_configuration.is_some(), "fsxWindowsFileServerVolumeConfiguration")
}

fn privileges(container: &ContainerDefinition) -> Verdict {
    refuse_if(container.privileged == Some(true), || {
        "Fargate requires that the ‘privileged’ setting be ‘false’ at the container level.".to_owned()
    })?;
    unsupported(!items(&container.docker_security_options).is_empty(), "dockerSecurityOptions")?;
    let capabilities = container.linux_parameters.as_ref().and_then(|linux| linux.capabilities.as_ref());
    let added = capabilities.map(|capabilities| items(&capabilities.add)).unwrap_or_default();
    let other = added.iter().find(|capability| *capability != "SYS_PTRACE");
    other.map_or(Ok(()), |capability| refuse(format!("{capability} is not allowed on Fargate.")))
}

fn kernel(container: &ContainerDefinition) -> Verdict {
    let Some(linux) = &container.linux_parameters else { return Ok(()) };
    unsupported(!items(&linux.devices).is_empty(), "devices")?;
    unsupported(linux.shared_memory_size.is_some(), "sharedMemorySize")?;
    unsupported(linux.max_swap.is_some(), "maxSwap")?;
    unsupported(linux.swappiness.is_some(), "swappiness")
}

fn gpu(container: &ContainerDefinition) -> Verdict {
    let wanted = items(&container.resource_requirements).iter().any(|one| one.r#type == Some(ResourceType::Gpu));
    refuse_if(wanted, || "Tasks using the Fargate launch type do not support GPU resource requirements.".to_owned())
}

fn timeouts(container: &ContainerDefinition) -> Verdict {
    for (what, seconds) in [("start", container.start_timeout), ("stop", container.stop_timeout)] {
        refuse_if(seconds.is_some_and(|seconds| seconds > 120), || {
            format!("Tasks using the Fargate launch type must have a container {what} timeout of less than 120 seconds.")
        })?;
    }
    Ok(())
}

/// AWS also wants an execution role here, which lets it write to the caller's log groups; our nodes need none for that.
fn logs(log: &LogConfiguration) -> Verdict {
    let driver = log.log_driver.as_ref();
    let supported = driver.is_none_or(|driver| matches!(driver, LogDriver::Awslogs | LogDriver::Splunk | LogDriver::Awsfirelens));
    refuse_if(!supported, || {
        let driver = driver.map_or("null", |driver| driver.as_str());
        format!("{driver} is not a valid log driver. Must be one of [awslogs,splunk,awsfirelens]")
    })?;
    let prefixed = log.options.as_ref().is_some_and(|options| options.contains_key("awslogs-stream-prefix"));
    refuse_if(driver == Some(&LogDriver::Awslogs) && !prefixed, || {
        "Fargate requires log configuration options to include awslogs-stream-prefix to support log driver awslogs.".to_owned()
    })
}

fn router(container: &ContainerDefinition) -> Verdict {
    let options = container.firelens_configuration.as_ref().and_then(|router| router.options.as_ref());
    let from_s3 = options.and_then(|options| options.get("config-file-type")).is_some_and(|kind| kind == "s3");
    refuse_if(from_s3, || "Fargate launch type does not support FirelensConfiguration config file from 's3'".to_owned())
}
