//! Starting, ending, reporting.

use crate::host::{host, shell, task};

#[tokio::test]
async fn an_exit_code_and_the_output_come_back() {
    let Some(host) = host() else { return };
    let (exit, log) = host.agent().run(task(1, vec![shell("c", "echo out; echo err >&2; exit 7")])).await;
    assert_eq!((exit.code, exit.oom_killed), (7, false));
    assert_eq!(log, "out\nerr\n");
    host.assert_nothing_is_left();
}
