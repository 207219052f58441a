//! Tasks at random: small, but with every way in which containers can depend on each other.

use crate::engine::Effect;
use base::Rng;
use workload::*;

pub fn task(rng: &mut Rng, id: String) -> TaskSpec {
    let count = 1 + rng.below(4) as usize;
    let mut containers: Vec<ContainerSpec> = (0..count).map(|index| container(rng, index)).collect();
    containers[0].essential = true;
    rotate(rng, &mut containers);
    let network_mode = *rng.pick(&[NetworkMode::Bridge, NetworkMode::Awsvpc, NetworkMode::Host]).expect("not empty");
    let volumes = if rng.chance(40) { vec![VolumeSpec { name: "v".into(), source: VolumeSource::Task }] } else { vec![] };
    TaskSpec { id, network_mode, volumes, containers, ..TaskSpec::default() }
}

/// One port for all that have any: who has it is for the plane to say.
pub fn publish(task: &mut TaskSpec) {
    let port = PortSpec { container_port: 80, host_port: 80, protocol: Protocol::Tcp, container_port_end: 80 };
    task.containers[0].ports.push(port);
}

/// The order of the definition is not that of the dependencies.
fn rotate(rng: &mut Rng, containers: &mut [ContainerSpec]) {
    let by = rng.below(containers.len() as u64) as usize;
    containers.rotate_left(by);
}

/// Depends on containers before it only, so there is no cycle.
fn container(rng: &mut Rng, index: usize) -> ContainerSpec {
    let mut container = ContainerSpec { name: format!("c{index}"), essential: rng.chance(50), ..ContainerSpec::default() };
    if rng.chance(30) {
        container.start_timeout_s = Some(1 + rng.below(60) as u32);
    }
    if rng.chance(50) {
        container.stop_timeout_s = Some(rng.below(20) as u32);
    }
    if rng.chance(40) {
        container.health_check = Some(health_check(rng));
    }
    if rng.chance(30) {
        container.restart = Some(RestartPolicy { ignored_exit_codes: vec![7], attempt_period_s: 1 + rng.below(10) as u32 });
    }
    // Some tasks have one of these, whoever depends on it.
    if index == 3 {
        container.secrets.push(SecretSpec { name: "S".into(), value_from: "s".into() });
    }
    for before in 0..index {
        depend(rng, &mut container, format!("c{before}"));
    }
    container
}

fn depend(rng: &mut Rng, container: &mut ContainerSpec, name: String) {
    match rng.below(10) {
        0 => container.links.push(name),
        1 => container.volumes_from.push(VolumesFrom { container: name, read_only: false }),
        2..5 => {
            let conditions = [Condition::Start, Condition::Start, Condition::Complete, Condition::Success, Condition::Healthy];
            let condition = *rng.pick(&conditions).expect("not empty");
            container.depends_on.push(Dependency { container: name, condition });
        }
        _ => {}
    }
}

fn health_check(rng: &mut Rng) -> HealthCheck {
    HealthCheck {
        command: vec!["probe".into()],
        interval_s: 5 + rng.below(10) as u32,
        timeout_s: 2,
        retries: 1 + rng.below(3) as u32,
        start_period_s: rng.below(2) as u32 * 20,
    }
}

/// How often an effect fails, in percent.
pub fn failures(effect: &Effect) -> u64 {
    match effect {
        Effect::Probe { .. } => 40,
        Effect::Close(_) | Effect::Detach { .. } | Effect::Remove { .. } => 20,
        _ => 4,
    }
}
