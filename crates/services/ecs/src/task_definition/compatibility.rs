//! Which launch types a definition would run on, whatever its caller requires. The orders are those AWS was seen to answer.

use super::check::Definition;
use super::check::fargate;
use api_ecs::{CPUArchitecture, Compatibility, NetworkMode};

pub fn compatibilities(definition: &Definition) -> Vec<Compatibility> {
    let ec2 = definition.request.ephemeral_storage.is_none();
    let candidates = if definition.mode != NetworkMode::Awsvpc {
        vec![(Compatibility::External, ec2), (Compatibility::Ec2, ec2)]
    } else {
        let (ec2, fargate) = ((Compatibility::Ec2, ec2), (Compatibility::Fargate, fargate::check(definition).is_ok()));
        let managed = (Compatibility::ManagedInstances, !fargate::is_windows(definition));
        if is_arm(definition) { vec![ec2, fargate, managed] } else { vec![ec2, managed, fargate] }
    };
    candidates.into_iter().filter(|(_, compatible)| *compatible).map(|(compatibility, _)| compatibility).collect()
}

fn is_arm(definition: &Definition) -> bool {
    let platform = definition.request.runtime_platform.as_ref();
    platform.is_some_and(|platform| platform.cpu_architecture == Some(CPUArchitecture::Arm64))
}
