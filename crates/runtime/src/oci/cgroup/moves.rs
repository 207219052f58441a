//! Moving a process between groups waits until every processor has been at rest for a moment (an RCU grace period, 8 to
//! 30 ms), unless a process has been moved just before: the kernel then keeps the way open for about as long again. It
//! counts as a move, too, when a process goes to where it is. So the wait can begin before the process that must move is
//! there. A kernel that does not know this waiting (`favordynmods`) loses nothing by it.

use super::Host;
use std::fs;
use std::path::PathBuf;

/// Returns after the wait, in which no group can be made or removed: have made yours before.
pub fn open_the_way(host: &Host) {
    let membership = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    if let Some(group) = own_group(host, &membership) {
        // What is refused has waited as well, or will wait with the process that is to move.
        let _ = fs::write(group.join("cgroup.procs"), "0");
    }
}

/// One of this process's groups that we can see. `membership` has lines such as `4:cpu,cpuacct:/user` and `0::/user`.
fn own_group(host: &Host, membership: &str) -> Option<PathBuf> {
    let path_of = |controllers: &str| {
        membership.lines().find_map(|line| match line.splitn(3, ':').collect::<Vec<_>>()[..] {
            [_, theirs, path] if theirs == controllers => Some(path.trim_start_matches('/').to_owned()),
            _ => None,
        })
    };
    match host {
        Host::V1(hierarchies) => hierarchies.iter().find_map(|h| Some(h.mount.join(path_of(&h.controllers.join(","))?))),
        Host::V2(root) => Some(root.join(path_of("")?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::cgroup::Hierarchy;

    fn v1(controllers: &str) -> Host {
        let controllers = controllers.split(',').map(str::to_owned).collect();
        Host::V1(vec![Hierarchy { controllers, mount: PathBuf::from("/cgroups/some") }])
    }

    #[test]
    fn a_process_finds_where_it_is() {
        let v2 = Host::V2(PathBuf::from("/cgroups"));
        for (host, membership, expected) in [
            (v1("cpu,cpuacct"), "5:pids:/other\n4:cpu,cpuacct:/user/a\n0::/", Some("/cgroups/some/user/a")),
            (v1("cpu"), "4:cpu,cpuacct:/user\n1:name=systemd:/", None),
            (v2.clone(), "0::/user/a:b", Some("/cgroups/user/a:b")),
            (v2, "4:cpu:/user", None),
        ] {
            assert_eq!(own_group(&host, membership), expected.map(PathBuf::from), "{membership}");
        }
    }
}
