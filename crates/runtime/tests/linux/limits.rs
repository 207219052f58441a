//! cgroups: what is written and what the kernel makes of it.

use crate::host::{host, shell, task};
use runtime::Runtime;
use std::sync::Arc;
use workload::{ContainerSpec, TaskSpec};

#[tokio::test]
async fn limits_of_task_and_container_are_in_the_kernel() {
    let Some(host) = host() else { return };
    let agent = host.agent();
    let container = ContainerSpec {
        cpu_shares: 512,
        memory_mib: Some(64),
        memory_reservation_mib: Some(32),
        ..shell("c", "exec sleep 1000")
    };
    let task = Arc::new(TaskSpec { cpu_units: Some(256), memory_mib: Some(128), ..task(1, vec![container]) });
    agent.runtime.open(&task).await.unwrap();
    let started = agent.start(&task, "c").await.unwrap();
    let group = format!("{}/{}", task.id, agent.run_of(&task, "c").runtime_id);
    let v2 = std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let pick = |v1: &str, v2_value: &str| if v2 { v2_value.to_owned() } else { v1.to_owned() };
    assert_eq!(host.cgroup("cpu", &task.id, "cpu.cfs_quota_us", "cpu.max"), pick("25000", "25000 100000"));
    assert_eq!(host.cgroup("memory", &task.id, "memory.limit_in_bytes", "memory.max"), "134217728");
    assert_eq!(host.cgroup("cpu", &group, "cpu.shares", "cpu.weight"), pick("512", "20"));
    assert_eq!(host.cgroup("memory", &group, "memory.limit_in_bytes", "memory.max"), "67108864");
    assert_eq!(host.cgroup("memory", &group, "memory.soft_limit_in_bytes", "memory.low"), "33554432");
    let processes = host.cgroup("memory", &group, "cgroup.procs", "cgroup.procs");
    assert!(processes.lines().any(|pid| pid == started.pid.to_string()), "{processes}");
    agent.runtime.close(&task.id).await.unwrap();
    host.assert_nothing_is_left();
}

/// Grows by doubling a shell variable.
const EATER: &str = "x=0123456789abcdef; while true; do x=$x$x; done";

#[tokio::test]
async fn too_much_memory_is_an_oom_kill() {
    let Some(host) = host() else { return };
    let (exit, _) = host.agent().run(task(1, vec![ContainerSpec { memory_mib: Some(16), ..shell("c", EATER) }])).await;
    assert_eq!((exit.code, exit.oom_killed), (137, true));
    host.assert_nothing_is_left();
}

#[tokio::test]
async fn the_tasks_limit_holds_for_a_container_without_one() {
    let Some(host) = host() else { return };
    let spec = TaskSpec { memory_mib: Some(16), ..task(1, vec![shell("c", EATER)]) };
    let (exit, _) = host.agent().run(spec).await;
    assert_eq!((exit.code, exit.oom_killed), (137, true));
}

#[tokio::test]
async fn a_container_sees_its_own_limits_and_cannot_change_them() {
    let Some(host) = host() else { return };
    let script = "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory.max 2>/dev/null; for f in memory/memory.limit_in_bytes memory.max; do [ -e $f ] && echo 1000000000 > $f; done; mkdir memory/x y 2>/dev/null || echo refused";
    let container = ContainerSpec { memory_mib: Some(64), ..shell("c", &format!("({script}) 2>&1")) };
    let (_, said) = host.agent().run(task(1, vec![container])).await;
    assert!(said.starts_with("67108864\n") && said.contains("Read-only file system") && said.ends_with("refused\n"), "{said}");
    host.assert_nothing_is_left();
}

/// What it shares with all other shims, its program text, costs once.
#[tokio::test]
async fn an_idle_shim_keeps_less_than_half_a_mebibyte_to_itself() {
    let Some(host) = host() else { return };
    let agent = host.agent();
    let task = Arc::new(task(1, vec![shell("c", "exec sleep 1000")]));
    agent.runtime.open(&task).await.unwrap();
    let started = agent.start(&task, "c").await.unwrap();
    let alive = runtime::ExecSpec { command: vec!["true".into()], timeout: std::time::Duration::from_secs(20) };
    agent.runtime.exec(&crate::host::id(&task, "c"), alive).await.unwrap();
    let smaps = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", parent(started.pid))).unwrap();
    let kib = |name: &str| {
        smaps
            .lines()
            .find_map(|l| l.strip_prefix(name))
            .map(|l| l.trim().trim_end_matches(" kB").parse::<u64>().unwrap())
            .unwrap()
    };
    assert!(kib("Anonymous:") < 512, "{smaps}");
    agent.runtime.close(&task.id).await.unwrap();
}

fn parent(pid: i32) -> i32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|l| l.strip_prefix("PPid:")).unwrap().trim().parse().unwrap()
}
