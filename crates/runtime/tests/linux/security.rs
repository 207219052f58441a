//! What a program may not do.

use crate::host::{host, shell, task};
use workload::ContainerSpec;

async fn says(container: ContainerSpec, expected: &str) {
    let Some(host) = host() else { return };
    let (_, said) = host.agent().run(task(1, vec![container])).await;
    assert_eq!(said, expected);
    host.assert_nothing_is_left();
}

const STATUS: &str = "grep -E '^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t'";

#[tokio::test]
async fn it_has_dockers_capabilities_and_a_filter() {
    says(
        shell("c", STATUS),
        "CapInh:0000000000000000\nCapPrm:00000000a80425fb\nCapEff:00000000a80425fb\nCapBnd:00000000a80425fb\nCapAmb:0000000000000000\nNoNewPrivs:0\nSeccomp:2\n",
    )
    .await;
}

#[tokio::test]
async fn a_user_has_no_capabilities_but_may_gain_them_back() {
    let container = ContainerSpec { user: Some("1000".into()), ..shell("c", STATUS) };
    says(
        container,
        "CapInh:0000000000000000\nCapPrm:0000000000000000\nCapEff:0000000000000000\nCapBnd:00000000a80425fb\nCapAmb:0000000000000000\nNoNewPrivs:0\nSeccomp:2\n",
    )
    .await;
}

#[tokio::test]
async fn mount_and_unshare_and_reboot_are_forbidden() {
    says(
        shell("c", "mount -t tmpfs none /tmp 2>&1; unshare -n true 2>&1; reboot -f 2>&1"),
        "mount: permission denied (are you root?)\nunshare: unshare(0x40000000): Operation not permitted\nreboot: (null): Operation not permitted\n",
    )
    .await;
}

#[tokio::test]
async fn added_and_dropped_capabilities_open_and_close_calls() {
    let container = ContainerSpec {
        cap_add: vec!["SYS_ADMIN".into()],
        cap_drop: vec!["CHOWN".into()],
        ..shell("c", "mount -t tmpfs none /tmp && echo mounted; chown 1 /etc/passwd 2>&1")
    };
    says(container, "mounted\nchown: /etc/passwd: Operation not permitted\n").await;
}

#[tokio::test]
async fn setuid_programs_work_unless_there_are_no_new_privileges() {
    let script = "chmod 4755 /bin/busybox; su app -c \"su root -c 'id -u'\" 2>&1";
    says(shell("c", script), "0\n").await;
    says(ContainerSpec { no_new_privileges: true, ..shell("c", script) }, "su: must be suid to work properly\n").await;
}

#[tokio::test]
async fn devices_of_the_host_stay_closed() {
    says(
        shell("c", "mknod /disk b 254 0 && head -c 1 /disk 2>&1; head -c 1 /dev/zero | wc -c"),
        "head: /disk: Operation not permitted\n1\n",
    )
    .await;
}

#[tokio::test]
async fn the_hosts_secrets_in_proc_are_masked() {
    says(
        shell("c", "cat /proc/keys | wc -c; (echo 1 > /proc/sys/kernel/panic) 2>&1; ls /sys/firmware | wc -l"),
        "0\nsh: can't create /proc/sys/kernel/panic: Read-only file system\n0\n",
    )
    .await;
}

#[tokio::test]
async fn privileged_is_not_filtered_and_may_mount() {
    says(ContainerSpec { privileged: true, ..shell("c", "mount -t tmpfs none /tmp && echo mounted; grep Seccomp: /proc/self/status | tr -d '\\t'; test -b /dev/vda -o -c /dev/mem && echo devices") }, "mounted\nSeccomp:0\ndevices\n").await;
}
