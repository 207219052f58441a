//! Agents that die, shims that die, many sandboxes at once.

use crate::host::{Agent, TestHost, host, id, shell, task};
use runtime::{ExecSpec, Runtime, RuntimeEvent};
use std::sync::Arc;
use std::time::Duration;
use workload::TaskSpec;

/// An agent whose every connection is cut at once when it is dropped, as by kill -9.
struct MortalAgent {
    agent: Agent,
    tokio: tokio::runtime::Runtime,
}

impl MortalAgent {
    fn new(host: &TestHost) -> MortalAgent {
        MortalAgent { agent: host.agent(), tokio: tokio::runtime::Runtime::new().unwrap() }
    }

    fn kill(self) {
        self.tokio.shutdown_background();
    }
}

fn two(n: u32) -> Arc<TaskSpec> {
    Arc::new(task(n, vec![shell("short", "read line < /gate; exit 9"), shell("long", "exec sleep 1000")]))
}

#[test]
fn a_new_agent_finds_what_runs_and_what_ended_meanwhile() {
    let Some(host) = host() else { return };
    let task = two(1);
    let gate = host.layer().join("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    let first = MortalAgent::new(&host);
    let (short, long) = first.tokio.block_on(async {
        first.agent.runtime.open(&task).await.unwrap();
        let short = first.agent.start(&task, "short").await.unwrap();
        (short, first.agent.start(&task, "long").await.unwrap())
    });
    first.kill();

    let process = std::fs::File::open(format!("/proc/{}/root", short.pid)).unwrap();
    drop(process);
    std::fs::write(format!("/proc/{}/root/gate", short.pid), "go\n").unwrap();
    await_death(short.pid);

    let second = MortalAgent::new(&host);
    second.tokio.block_on(async {
        let (tasks, observed) = second.agent.runtime.list().await.unwrap();
        assert_eq!(tasks, std::slice::from_ref(&task.id));
        let summary: Vec<_> = observed.iter().map(|o| (o.id.container.as_str(), o.exit.as_ref().map(|e| e.code))).collect();
        assert_eq!(summary, [("short", Some(9)), ("long", None)]);
        let alive = ExecSpec { command: vec!["true".into()], timeout: Duration::from_secs(20) };
        assert_eq!(second.agent.runtime.exec(&id(&task, "long"), alive).await.unwrap().code, Some(0));
        assert!(std::path::Path::new(&format!("/proc/{}", long.pid)).exists());
        second.agent.runtime.close(&task.id).await.unwrap();
    });
    host.assert_nothing_is_left();
}

#[test]
fn a_new_agent_finds_what_the_last_one_had_begun() {
    let Some(host) = host() else { return };
    let task = Arc::new(task(1, vec![shell("c", "exec sleep 1000")]));
    let first = MortalAgent::new(&host);
    let log = host.logs().join(&task.id).join("c.log");
    first.tokio.block_on(async {
        first.agent.runtime.open(&task).await.unwrap();
        tokio::select! {
            // The shim opens the container's log first of all: it has the request, whether or not it has answered.
            _ = first.agent.start(&task, "c") => {}
            () = appears(&log) => {}
        }
    });
    first.kill();
    let second = MortalAgent::new(&host);
    second.tokio.block_on(async {
        let (_, observed) = second.agent.runtime.list().await.unwrap();
        let running: Vec<_> = observed.iter().filter(|o| o.exit.is_none()).map(|o| o.id.container.as_str()).collect();
        assert_eq!(running, ["c"], "{observed:?}");
        second.agent.runtime.close(&task.id).await.unwrap();
    });
    host.assert_nothing_is_left();
}

async fn appears(path: &std::path::Path) {
    while !path.exists() {
        tokio::task::yield_now().await;
    }
}

/// Ends when the process is gone for good: reaped by its shim, that is, which writes the exit down right after.
fn await_death(pid: i32) {
    let dir = std::fs::File::open(format!("/proc/{pid}")).unwrap();
    while std::fs::metadata(format!("/proc/self/fd/{}/stat", std::os::fd::AsRawFd::as_raw_fd(&dir))).is_ok()
        && std::path::Path::new(&format!("/proc/{pid}/stat")).exists()
    {
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn what_a_dead_shim_held_is_killed_and_reported() {
    let Some(host) = host() else { return };
    let mut agent = host.agent();
    let task = Arc::new(task(1, vec![shell("c", "exec sleep 1000")]));
    agent.runtime.open(&task).await.unwrap();
    let started = agent.start(&task, "c").await.unwrap();
    kill_shim_of(started.pid);
    match agent.events.recv().await.unwrap() {
        RuntimeEvent::SandboxLost { task: lost } => assert_eq!(lost, task.id),
        other => panic!("{other:?}"),
    }
    assert!(!std::path::Path::new(&format!("/proc/{}/root/bin", started.pid)).exists(), "it must not run on");
    let (tasks, observed) = agent.runtime.list().await.unwrap();
    assert_eq!((tasks, observed[0].exit.as_ref().map(|e| e.code)), (vec![task.id.clone()], Some(137)));
    // The sandbox can be opened again and remembers.
    agent.runtime.open(&task).await.unwrap();
    agent.runtime.remove(&id(&task, "c")).await.unwrap();
    agent.start(&task, "c").await.unwrap();
    agent.runtime.close(&task.id).await.unwrap();
    host.assert_nothing_is_left();
}

#[tokio::test]
async fn a_shim_that_died_without_an_agent_is_found_by_list() {
    let Some(host) = host() else { return };
    let task = Arc::new(task(1, vec![shell("c", "exec sleep 1000")]));
    let first = host.agent();
    first.runtime.open(&task).await.unwrap();
    let started = first.start(&task, "c").await.unwrap();
    let second = host.agent();
    kill_shim_of(started.pid);
    let (_, observed) = second.runtime.list().await.unwrap();
    assert_eq!(observed[0].exit.as_ref().map(|e| e.code), Some(137));
    second.runtime.close(&task.id).await.unwrap();
    host.assert_nothing_is_left();
}

#[tokio::test]
async fn an_exit_on_record_outlives_the_shim() {
    let Some(host) = host() else { return };
    let mut agent = host.agent();
    let containers = vec![shell("quick", "exit 9"), shell("slow", "exec sleep 1000")];
    let task = Arc::new(task(1, containers));
    agent.runtime.open(&task).await.unwrap();
    let slow = agent.start(&task, "slow").await.unwrap();
    agent.start(&task, "quick").await.unwrap();
    let exit = agent.exit().await;
    kill_shim_of(slow.pid);
    assert!(matches!(agent.events.recv().await, Some(RuntimeEvent::SandboxLost { .. })));
    let (_, observed) = agent.runtime.list().await.unwrap();
    let quick = observed.into_iter().find(|o| o.id.container == "quick").unwrap();
    assert_eq!(quick.exit, Some(exit));
    agent.runtime.close(&task.id).await.unwrap();
    host.assert_nothing_is_left();
}

fn kill_shim_of(pid: i32) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let parent = status.lines().find_map(|l| l.strip_prefix("PPid:")).unwrap().trim().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(parent), nix::sys::signal::SIGKILL).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_sandboxes_at_once_leave_nothing_behind() {
    let Some(host) = host() else { return };
    let mut agent = host.agent();
    let runtime = Arc::new(&agent.runtime);
    let tasks: Vec<_> = (1..=50).map(|n| Arc::new(task(n, vec![shell("c", "exit 3")]))).collect();
    let starts = tasks.iter().map(|task| {
        let (runtime, run) = (runtime.clone(), agent.run_of(task, "c"));
        async move {
            runtime.open(task).await.unwrap();
            runtime.start(run).await.unwrap();
        }
    });
    futures_util::future::join_all(starts).await;
    for _ in &tasks {
        assert_eq!(agent.exit().await.code, 3);
    }
    futures_util::future::join_all(tasks.iter().map(|task| agent.runtime.close(&task.id)))
        .await
        .into_iter()
        .for_each(|r| r.unwrap());
    host.assert_nothing_is_left();
}
