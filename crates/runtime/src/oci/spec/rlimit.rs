//! Resource limits: the definition's `ulimits`, Fargate's default for open files, and never more than we have ourselves.

use crate::oci::program::Rlimit;
use oci_spec::runtime::{self as oci, PosixRlimitType as Type};
use std::collections::BTreeMap;
use workload::{ContainerSpec, TaskSpec};

/// "The default nofile soft limit is 65535 and hard limit is 65535 for tasks hosted on Fargate" (task definition parameters).
const FARGATE_NOFILE: u64 = 65535;

/// The API's names.
const TABLE: [(&str, u32, Type); 15] = [
    ("core", libc::RLIMIT_CORE, Type::RlimitCore),
    ("cpu", libc::RLIMIT_CPU, Type::RlimitCpu),
    ("data", libc::RLIMIT_DATA, Type::RlimitData),
    ("fsize", libc::RLIMIT_FSIZE, Type::RlimitFsize),
    ("locks", libc::RLIMIT_LOCKS, Type::RlimitLocks),
    ("memlock", libc::RLIMIT_MEMLOCK, Type::RlimitMemlock),
    ("msgqueue", libc::RLIMIT_MSGQUEUE, Type::RlimitMsgqueue),
    ("nice", libc::RLIMIT_NICE, Type::RlimitNice),
    ("nofile", libc::RLIMIT_NOFILE, Type::RlimitNofile),
    ("nproc", libc::RLIMIT_NPROC, Type::RlimitNproc),
    ("rss", libc::RLIMIT_RSS, Type::RlimitRss),
    ("rtprio", libc::RLIMIT_RTPRIO, Type::RlimitRtprio),
    ("rttime", libc::RLIMIT_RTTIME, Type::RlimitRttime),
    ("sigpending", libc::RLIMIT_SIGPENDING, Type::RlimitSigpending),
    ("stack", libc::RLIMIT_STACK, Type::RlimitStack),
];

pub fn resources() -> impl Iterator<Item = u32> {
    TABLE.iter().map(|row| row.1)
}

/// `hard_limits`: what we cannot exceed, lacking CAP_SYS_RESOURCE. A container that wants more starts with less.
pub fn of(task: &TaskSpec, container: &ContainerSpec, hard_limits: Option<&BTreeMap<u32, u64>>) -> Vec<Rlimit> {
    let mut limits: Vec<Rlimit> =
        container.ulimits.iter().filter_map(|u| named(&u.name, amount(u.soft), amount(u.hard))).collect();
    if task.launch_type == "FARGATE" && !container.ulimits.iter().any(|u| u.name == "nofile") {
        limits.extend(named("nofile", FARGATE_NOFILE, FARGATE_NOFILE));
    }
    limits.into_iter().map(|limit| clamp(limit, hard_limits)).collect()
}

fn named(name: &str, soft: u64, hard: u64) -> Option<Rlimit> {
    TABLE.iter().find(|row| row.0 == name).map(|row| Rlimit { resource: row.1, soft, hard })
}

/// -1 is "without limit".
fn amount(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(libc::RLIM_INFINITY)
}

fn clamp(limit: Rlimit, hard_limits: Option<&BTreeMap<u32, u64>>) -> Rlimit {
    let most = hard_limits.and_then(|limits| limits.get(&limit.resource)).copied().unwrap_or(libc::RLIM_INFINITY);
    let hard = limit.hard.min(most);
    Rlimit { hard, soft: limit.soft.min(hard), ..limit }
}

pub fn oci(limit: &Rlimit) -> oci::PosixRlimit {
    let typ = TABLE.iter().find(|row| row.1 == limit.resource).map_or(Type::RlimitNofile, |row| row.2);
    let builder = oci::PosixRlimitBuilder::default().typ(typ).soft(limit.soft).hard(limit.hard);
    builder.build().expect("all three fields are given")
}

#[cfg(test)]
mod tests {
    use super::*;
    use workload::Ulimit;

    fn check(launch_type: &str, ulimits: &[(&str, i64, i64)], most: Option<u64>, expected: &[(u64, u64)]) {
        let task = TaskSpec { launch_type: launch_type.to_owned(), ..Default::default() };
        let ulimits =
            ulimits.iter().map(|(name, soft, hard)| Ulimit { name: (*name).to_owned(), soft: *soft, hard: *hard }).collect();
        let container = ContainerSpec { ulimits, ..Default::default() };
        let hard_limits = most.map(|most| BTreeMap::from([(libc::RLIMIT_NOFILE, most)]));
        let limits: Vec<_> = of(&task, &container, hard_limits.as_ref()).iter().map(|l| (l.soft, l.hard)).collect();
        assert_eq!(limits, expected);
    }

    #[test]
    fn ulimits_are_taken_or_clamped() {
        check("EC2", &[], None, &[]);
        check("EC2", &[("nofile", 1024, 4096)], None, &[(1024, 4096)]);
        check("EC2", &[("core", -1, -1)], None, &[(u64::MAX, u64::MAX)]);
        check("FARGATE", &[], None, &[(65535, 65535)]);
        check("FARGATE", &[("nofile", 10, 20)], None, &[(10, 20)]);
        check("FARGATE", &[], Some(20000), &[(20000, 20000)]);
        check("EC2", &[("nofile", 1024, 65535)], Some(20000), &[(1024, 20000)]);
    }
}
