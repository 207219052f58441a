//! Whether a container that exited is started again (`restartPolicy`), as the stock agent decides it
//! (`ecs-agent/api/container/restart/restart_tracker.go`).

use super::event::Exit;
use super::state::Container;
use std::time::Duration;
use workload::ContainerSpec;

pub fn comes_back(spec: &ContainerSpec, container: &Container, exit: &Exit) -> bool {
    let (Some(policy), Some(started_at)) = (&spec.restart, container.started_at) else { return false };
    let ignored = policy.ignored_exit_codes.contains(&exit.code);
    let long_enough = exit.at.since(started_at) >= Duration::from_secs(policy.attempt_period_s.into());
    !ignored && long_enough
}
