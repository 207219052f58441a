//! Starting, ending, reporting, restarting.

use crate::host::{Agent, TestHost, host, id, shell, task};
use runtime::{Error, ExecSpec, Runtime};
use std::sync::Arc;
use std::time::Duration;
use workload::{ContainerSpec, LogSpec, Sharing, TaskSpec};

async fn check(container: ContainerSpec, code: i32, log: &str) {
    let Some(host) = host() else { return };
    let (exit, said) = host.agent().run(task(1, vec![container])).await;
    assert_eq!((exit.code, said.as_str()), (code, log));
    host.assert_nothing_is_left();
}

#[tokio::test]
async fn an_exit_code_and_the_output_come_back() {
    check(shell("c", "echo out; exec sh -c 'echo err >&2; exit 7'"), 7, "out\nerr\n").await;
}

#[tokio::test]
async fn every_line_of_a_flood_is_logged_before_the_exit_is_told() {
    let Some(host) = host() else { return };
    let (exit, said) = host.agent().run(task(1, vec![shell("c", "seq 1 50000")])).await;
    assert_eq!((exit.code, said.lines().count(), said.lines().last()), (0, 50000, Some("50000")));
}

#[tokio::test]
async fn driver_none_keeps_nothing() {
    let log = LogSpec { driver: "none".into(), ..Default::default() };
    check(ContainerSpec { log, ..shell("c", "echo lost") }, 0, "").await;
}

/// Runs it, waits for its first word, signals.
async fn signalled(script: &str, signal: i32) -> Option<i32> {
    let host = host()?;
    let (mut agent, task) = running(&host, script).await;
    agent.runtime.signal(&id(&task, "c"), signal).await.unwrap();
    let exit = agent.exit().await;
    agent.runtime.close(&task.id).await.unwrap();
    host.assert_nothing_is_left();
    Some(exit.code)
}

async fn running(host: &TestHost, script: &str) -> (Agent, Arc<TaskSpec>) {
    let agent = host.agent();
    let task = Arc::new(task(1, vec![shell("c", &format!("{script}; touch /ready; while true; do sleep 1; done"))]));
    agent.runtime.open(&task).await.unwrap();
    agent.start(&task, "c").await.unwrap();
    let ready = ExecSpec {
        command: vec!["sh".into(), "-c".into(), "until [ -e /ready ]; do :; done".into()],
        timeout: Duration::from_secs(20),
    };
    assert_eq!(agent.runtime.exec(&id(&task, "c"), ready).await.unwrap().code, Some(0));
    (agent, task)
}

#[tokio::test]
async fn a_handled_signal_ends_with_the_programs_own_code() {
    if let Some(code) = signalled("trap 'exit 5' TERM", 15).await {
        assert_eq!(code, 5);
    }
}

#[tokio::test]
async fn a_signal_death_is_128_and_the_signal() {
    if let Some(code) = signalled(":", 9).await {
        assert_eq!(code, 137);
    }
}

#[tokio::test]
async fn a_restart_finds_what_the_last_run_wrote_and_another_start_does_not() {
    let Some(host) = host() else { return };
    let mut agent = host.agent();
    let task = Arc::new(task(1, vec![shell("c", "cat /mark 2>/dev/null; echo was here > /mark")]));
    agent.runtime.open(&task).await.unwrap();
    for (runtime_id, again) in [("a", false), ("b", true), ("c", false)] {
        let run = runtime::ContainerRun { runtime_id: runtime_id.repeat(64), again, ..agent.run_of(&task, "c") };
        agent.runtime.start(run).await.unwrap();
        agent.exit().await;
        agent.runtime.remove(&id(&task, "c")).await.unwrap();
    }
    assert_eq!(agent.log(&task.id, "c"), "was here\n");
    agent.runtime.close(&task.id).await.unwrap();
    host.assert_nothing_is_left();
}

#[tokio::test]
async fn a_name_in_use_is_a_conflict() {
    let Some(host) = host() else { return };
    let (agent, task) = running(&host, ":").await;
    let error = agent.start(&task, "c").await.unwrap_err();
    assert_eq!(error.to_string(), "Conflict. The container name \"/c\" is already in use");
    agent.runtime.close(&task.id).await.unwrap();
}

async fn start_error(container: ContainerSpec) -> Option<Error> {
    let host = host()?;
    let agent = host.agent();
    let task = Arc::new(task(1, vec![container]));
    agent.runtime.open(&task).await.unwrap();
    let error = agent.start(&task, "c").await.unwrap_err();
    assert_eq!(agent.runtime.list().await.unwrap(), (vec![task.id.clone()], vec![]));
    agent.runtime.close(&task.id).await.unwrap();
    host.assert_nothing_is_left();
    Some(error)
}

const RUNC: &str = "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ";

async fn check_not_started(command: &[&str], reason: &str) {
    let command = Some(command.iter().map(|w| (*w).to_owned()).collect());
    if let Some(error) = start_error(ContainerSpec { name: "c".into(), command, ..Default::default() }).await {
        assert!(matches!(error, Error::Start(_)));
        assert_eq!(error.to_string(), format!("{RUNC}{reason}: unknown"));
    }
}

#[tokio::test]
async fn a_missing_command_is_said_in_runcs_words() {
    check_not_started(&["foo"], "exec: \"foo\": executable file not found in $PATH").await;
    check_not_started(&["/no/such"], "exec: \"/no/such\": stat /no/such: no such file or directory").await;
    check_not_started(&["/etc/passwd"], "exec: \"/etc/passwd\": permission denied").await;
    check_not_started(&["/etc"], "exec: \"/etc\": is a directory").await;
}

#[tokio::test]
async fn a_missing_user_is_said_in_dockers_words() {
    let container = ContainerSpec { user: Some("ghost".into()), ..shell("c", ":") };
    if let Some(error) = start_error(container).await {
        assert!(matches!(error, Error::Start(_)));
        assert_eq!(error.to_string(), "unable to find user ghost: no matching entries in passwd file");
    }
}

#[tokio::test]
async fn a_program_the_kernel_refuses_complains_to_its_own_log() {
    let Some(host) = host() else { return };
    let path = host.layer().join("bin/foreign");
    std::fs::write(&path, [0x7f, b'E', b'L', b'F', 0, 0, 0, 0]).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let container = ContainerSpec { name: "c".into(), command: Some(vec!["foreign".into()]), ..Default::default() };
    let (exit, said) = host.agent().run(task(1, vec![container])).await;
    assert_eq!((exit.code, said.as_str()), (255, "exec /bin/foreign: exec format error\n"));
}

#[tokio::test]
async fn exec_gives_code_and_output_or_is_killed_in_time() {
    let Some(host) = host() else { return };
    let (agent, task) = running(&host, ":").await;
    let exec = async |script: &str, timeout_ms| {
        let command = vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()];
        let end =
            agent.runtime.exec(&id(&task, "c"), ExecSpec { command, timeout: Duration::from_millis(timeout_ms) }).await.unwrap();
        (end.code, end.output)
    };
    assert_eq!(exec("echo well; hostname; exit 3", 20_000).await, (Some(3), "well\nbox\n".to_owned()));
    assert_eq!(exec("echo slow; sleep 1000", 300).await, (None, "slow\n".to_owned()));
    assert_eq!(exec("kill -9 $$", 20_000).await.0, Some(137));
    assert_eq!(exec("seq 1 100000", 20_000).await.1.len(), 4096);
    let missing = ExecSpec { command: vec!["nothing".into()], timeout: Duration::from_secs(20) };
    let end = agent.runtime.exec(&id(&task, "c"), missing).await.unwrap();
    assert_eq!(end.code, Some(127));
    assert_eq!(
        end.output,
        "OCI runtime exec failed: exec failed: unable to start container process: exec: \"nothing\": executable file not found in $PATH: unknown"
    );
    agent.runtime.close(&task.id).await.unwrap();
    host.assert_nothing_is_left();
}

#[tokio::test]
async fn containers_of_a_task_may_share_processes_and_memory() {
    let Some(host) = host() else { return };
    let mut agent = host.agent();
    let containers = vec![
        shell("a", "echo hello > /dev/shm/word; exec sleep 1000"),
        shell("b", "until [ -e /dev/shm/word ]; do :; done; cat /dev/shm/word; pidof sleep > /dev/null && echo seen"),
    ];
    let task = Arc::new(TaskSpec { pid_mode: Sharing::Task, ipc_mode: Sharing::Task, ..task(1, containers) });
    agent.runtime.open(&task).await.unwrap();
    agent.start(&task, "a").await.unwrap();
    agent.start(&task, "b").await.unwrap();
    assert_eq!(agent.exit().await.code, 0);
    assert_eq!(agent.log(&task.id, "b"), "hello\nseen\n");
    agent.runtime.close(&task.id).await.unwrap();
    host.assert_nothing_is_left();
}

#[tokio::test]
async fn closing_ends_what_runs_and_may_be_repeated() {
    let Some(host) = host() else { return };
    let (mut agent, task) = running(&host, ":").await;
    agent.runtime.open(&task).await.unwrap();
    agent.runtime.close(&task.id).await.unwrap();
    assert_eq!(agent.exit().await.code, 137);
    agent.runtime.close(&task.id).await.unwrap();
    host.assert_nothing_is_left();
}

#[tokio::test]
async fn a_fork_bomb_in_the_hosts_pid_namespace_is_ended() {
    let Some(host) = host() else { return };
    let bomb = "f() { f & f & wait; }; f & read line < /gate";
    let task = Arc::new(TaskSpec { pid_mode: Sharing::Host, ..task(1, vec![shell("c", &format!("mkfifo /gate; {bomb}"))]) });
    let limited = host.agent_with_pids_limit(200);
    limited.runtime.open(&task).await.unwrap();
    limited.start(&task, "c").await.unwrap();
    limited.runtime.close(&task.id).await.unwrap();
    host.assert_nothing_is_left();
}
