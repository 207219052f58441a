//! What a program finds around it.

use crate::host::{host, shell, task};
use runtime::{Bind, ContainerRun, Runtime};
use std::sync::Arc;
use workload::{ContainerSpec, TaskSpec, TmpfsSpec, Ulimit};

async fn says(container: ContainerSpec, expected: &str) {
    says_with(container, |_| (), expected).await;
}

async fn says_with(container: ContainerSpec, change: impl FnOnce(&mut ContainerRun), expected: &str) {
    let Some(host) = host() else { return };
    let mut agent = host.agent();
    let task = Arc::new(TaskSpec { launch_type: "FARGATE".into(), ..task(1, vec![container]) });
    agent.runtime.open(&task).await.unwrap();
    let mut run = agent.run_of(&task, "c");
    change(&mut run);
    agent.runtime.start(run).await.unwrap();
    agent.exit().await;
    agent.runtime.close(&task.id).await.unwrap();
    assert_eq!(agent.log(&task.id, "c"), expected);
    host.assert_nothing_is_left();
}

#[tokio::test]
async fn its_environment() {
    let change = |run: &mut ContainerRun| {
        run.environment = vec![("A".into(), "own".into())];
        run.image.environment = vec!["A=image".into(), "B=image".into()];
    };
    says_with(
        shell("c", "echo $A $B $HOSTNAME $HOME; echo $PATH; hostname"),
        change,
        "own image box /root\n/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nbox\n",
    )
    .await;
}

#[tokio::test]
async fn its_user_with_all_groups_and_a_writable_stdout() {
    let container = ContainerSpec {
        user: Some("app".into()),
        ..shell("c", "id; echo $HOME; echo through > /dev/stdout; grep CapEff /proc/self/status")
    };
    says(container, "uid=1000(app) gid=1001(app) groups=7(extra),1001(app)\n/home/app\nthrough\nCapEff:\t0000000000000000\n")
        .await;
}

#[tokio::test]
async fn its_working_directory_made_if_missing() {
    says(ContainerSpec { working_directory: Some("/srv/new".into()), ..shell("c", "pwd") }, "/srv/new\n").await;
}

#[tokio::test]
async fn its_files() {
    says(shell("c", "cat /etc/hosts /etc/hostname /etc/resolv.conf"), "127.0.0.1 localhost\nbox\nnameserver 192.0.2.1\n").await;
}

#[tokio::test]
async fn the_domain_name() {
    says(
        ContainerSpec { domainname: Some("example.org".into()), ..shell("c", "cat /proc/sys/kernel/domainname") },
        "example.org\n",
    )
    .await;
}

#[tokio::test]
async fn volumes_and_tmpfs() {
    let container = ContainerSpec {
        tmpfs: vec![TmpfsSpec { container_path: "/scratch".into(), size_mib: 1, options: vec![] }],
        ..shell("c", "cat /data/word; touch /data/x 2>&1; touch /rw/made; df -k /scratch | tail -1 | awk '{print $2}'")
    };
    let volumes = tempfile::tempdir().unwrap();
    let (ro, rw) = (volumes.path().join("ro"), volumes.path().join("rw"));
    for dir in [&ro, &rw] {
        std::fs::create_dir(dir).unwrap();
    }
    std::fs::write(ro.join("word"), "volume\n").unwrap();
    let change = |run: &mut ContainerRun| {
        run.binds = vec![
            Bind { source: ro, target: "/data".into(), read_only: true },
            Bind { source: rw.clone(), target: "/rw".into(), read_only: false },
        ];
    };
    says_with(container, change, "volume\ntouch: /data/x: Read-only file system\n1024\n").await;
    if nix::unistd::geteuid().is_root() {
        assert!(rw.join("made").exists());
    }
}

#[tokio::test]
async fn a_read_only_root() {
    says(
        ContainerSpec { readonly_root: true, ..shell("c", "touch /x 2>&1; touch /dev/shm/y && echo shm") },
        "touch: /x: Read-only file system\nshm\n",
    )
    .await;
}

#[tokio::test]
async fn its_limits_as_far_as_we_can_give_them() {
    let core = Ulimit { name: "core".into(), soft: 0, hard: 0 };
    let hard = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap().1;
    let raising = std::fs::read_to_string("/proc/self/status")
        .unwrap()
        .lines()
        .any(|l| l.starts_with("CapEff:") && u64::from_str_radix(l[7..].trim(), 16).unwrap() & 1 << 24 != 0);
    let nofile = if raising { 65535 } else { hard.min(65535) };
    says(ContainerSpec { ulimits: vec![core], ..shell("c", "ulimit -c; ulimit -n") }, &format!("0\n{nofile}\n")).await;
}

#[tokio::test]
async fn an_init_that_is_process_one() {
    let container = ContainerSpec { init_process: true, ..shell("c", "pidof init; sh -c 'sleep 0.1 & exit 0'; exit 4") };
    says(container, "1\n").await;
}

#[tokio::test]
async fn a_terminal() {
    says(
        ContainerSpec { pseudo_terminal: true, ..shell("c", "test -t 0 && test -t 1 && echo $TERM; tty") },
        "xterm\r\n/dev/pts/0\r\n",
    )
    .await;
}

#[tokio::test]
async fn no_input_unless_interactive() {
    says(shell("c", "cat; echo ended"), "ended\n").await;
    says(ContainerSpec { interactive: true, ..shell("c", "timeout 1 cat 2>/dev/null; [ $? = 143 ] && echo waited") }, "waited\n")
        .await;
}

#[tokio::test]
async fn an_image_of_many_layers() {
    let Some(host) = host() else { return };
    let mut agent = host.agent();
    let task = Arc::new(task(1, vec![shell("c", "cat /n; ls /d | wc -l")]));
    agent.runtime.open(&task).await.unwrap();
    let mut run = agent.run_of(&task, "c");
    for n in 0..150 {
        let layer = host.dir.path().join(format!("a-layer-with-a-long-name-{n:04}"));
        std::fs::create_dir_all(layer.join("d")).unwrap();
        std::fs::write(layer.join("n"), format!("{n}\n")).unwrap();
        std::fs::write(layer.join("d").join(n.to_string()), "").unwrap();
        run.image.layers.push(layer);
    }
    agent.runtime.start(run).await.unwrap();
    agent.exit().await;
    agent.runtime.close(&task.id).await.unwrap();
    assert_eq!(agent.log(&task.id, "c"), "149\n150\n");
}
