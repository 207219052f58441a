//! What a group's limits are, and the kernel files that say so in both versions. Pure.

use crate::oci::protocol::Opening;
use workload::ContainerSpec;

const MIB: u64 = 1024 * 1024;
/// The scheduler's accounting period, Docker's and the kernel's default.
const PERIOD_US: u64 = 100_000;
/// The kernel refuses quotas below a millisecond.
const SMALLEST_QUOTA_US: u64 = 1000;
/// The smallest share the kernel takes; ECS's `cpu: 0`.
const SMALLEST_SHARES: u64 = 2;
const LARGEST_SHARES: u64 = 262_144;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Of every period, in microseconds.
    pub cpu_quota_us: Option<u64>,
    pub cpu_shares: Option<u64>,
    pub memory_bytes: Option<u64>,
    pub memory_soft_bytes: Option<u64>,
    pub swap: Option<Swap>,
    pub swappiness: Option<u32>,
    pub pids: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    Unlimited,
    Bytes(u64),
}

/// One kernel file. `optional`: some kernels have no such file, and then there is nothing to limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    pub controller: &'static str,
    pub file: &'static str,
    pub value: String,
    pub optional: bool,
}

impl Limits {
    /// 1024 CPU units are one core.
    pub fn of_task(opening: &Opening) -> Limits {
        Limits {
            cpu_quota_us: opening.cpu_units.map(|units| (u64::from(units) * PERIOD_US / 1024).max(SMALLEST_QUOTA_US)),
            memory_bytes: opening.memory_mib.map(|mib| mib * MIB),
            pids: opening.pids_limit,
            ..Limits::default()
        }
    }

    /// Docker's rule for swap: as much as memory, unless `maxSwap` says otherwise (-1: without limit).
    pub fn of_container(container: &ContainerSpec) -> Limits {
        let memory_bytes = container.memory_mib.map(|mib| mib * MIB);
        let swap = memory_bytes.map(|memory| match container.max_swap_mib {
            None => Swap::Bytes(memory),
            Some(mib) => u64::try_from(mib).map_or(Swap::Unlimited, |mib| Swap::Bytes(mib * MIB)),
        });
        Limits {
            cpu_quota_us: None,
            cpu_shares: Some(u64::from(container.cpu_shares).clamp(SMALLEST_SHARES, LARGEST_SHARES)),
            memory_bytes,
            memory_soft_bytes: container.memory_reservation_mib.map(|mib| mib * MIB),
            swap,
            swappiness: container.swappiness,
            pids: None,
        }
    }

    pub fn v1(&self) -> Vec<Write> {
        let swap = self.memory_bytes.zip(self.swap).map(|(memory, swap)| match swap {
            Swap::Unlimited => "-1".to_owned(),
            Swap::Bytes(bytes) => (memory + bytes).to_string(),
        });
        [
            // Kernels before 5.11 count a child's memory for its parent only when told so.
            Some(optional("memory", "memory.use_hierarchy", "1")),
            self.memory_bytes.map(|bytes| required("memory", "memory.limit_in_bytes", bytes)),
            swap.map(|value| optional("memory", "memory.memsw.limit_in_bytes", value)),
            self.memory_soft_bytes.map(|bytes| required("memory", "memory.soft_limit_in_bytes", bytes)),
            self.swappiness.map(|value| optional("memory", "memory.swappiness", value)),
            self.cpu_shares.map(|shares| required("cpu", "cpu.shares", shares)),
            self.cpu_quota_us.map(|_| required("cpu", "cpu.cfs_period_us", PERIOD_US)),
            self.cpu_quota_us.map(|quota| required("cpu", "cpu.cfs_quota_us", quota)),
            self.pids.map(|count| required("pids", "pids.max", count)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    pub fn v2(&self) -> Vec<Write> {
        let swap = self.swap.map(|swap| match swap {
            Swap::Unlimited => "max".to_owned(),
            Swap::Bytes(bytes) => bytes.to_string(),
        });
        [
            self.memory_bytes.map(|bytes| required("memory", "memory.max", bytes)),
            swap.map(|value| optional("memory", "memory.swap.max", value)),
            self.memory_soft_bytes.map(|bytes| required("memory", "memory.low", bytes)),
            self.cpu_shares.map(|shares| required("cpu", "cpu.weight", weight(shares))),
            self.cpu_quota_us.map(|quota| required("cpu", "cpu.max", format!("{quota} {PERIOD_US}"))),
            self.pids.map(|count| required("pids", "pids.max", count)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Shares 2..=262144 onto weights 1..=10000, the conversion of the OCI runtimes (kubernetes KEP-2254).
fn weight(shares: u64) -> u64 {
    1 + (shares - SMALLEST_SHARES) * 9999 / (LARGEST_SHARES - SMALLEST_SHARES)
}

fn required(controller: &'static str, file: &'static str, value: impl ToString) -> Write {
    Write { controller, file, value: value.to_string(), optional: false }
}

fn optional(controller: &'static str, file: &'static str, value: impl ToString) -> Write {
    Write { optional: true, ..required(controller, file, value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(limits: Limits, v1: Expect, v2: Expect) {
        let text = |writes: Vec<Write>| writes.iter().map(|w| format!("{}={}\n", w.file, w.value)).collect::<String>();
        v1.assert_eq(&text(limits.v1()));
        v2.assert_eq(&text(limits.v2()));
    }

    fn opening(cpu_units: Option<u32>, memory_mib: Option<u64>) -> Opening {
        Opening { cpu_units, memory_mib, pids_limit: Some(512), share_pid: false, share_ipc: false }
    }

    #[test]
    fn a_quarter_of_a_core_is_a_quarter_of_the_period() {
        check(
            Limits::of_task(&opening(Some(256), Some(512))),
            expect![[r#"
                memory.use_hierarchy=1
                memory.limit_in_bytes=536870912
                cpu.cfs_period_us=100000
                cpu.cfs_quota_us=25000
                pids.max=512
            "#]],
            expect![[r#"
                memory.max=536870912
                cpu.max=25000 100000
                pids.max=512
            "#]],
        );
    }

    #[test]
    fn the_smallest_task_gets_the_smallest_quota_the_kernel_takes() {
        assert_eq!(Limits::of_task(&opening(Some(2), None)).cpu_quota_us, Some(1000));
    }

    #[test]
    fn a_container_without_limits_has_the_smallest_share() {
        check(
            Limits::of_container(&ContainerSpec::default()),
            expect![[r#"
                memory.use_hierarchy=1
                cpu.shares=2
            "#]],
            expect![[r#"
                cpu.weight=1
            "#]],
        );
    }

    #[test]
    fn hard_limit_soft_limit_and_shares() {
        let container =
            ContainerSpec { cpu_shares: 1024, memory_mib: Some(64), memory_reservation_mib: Some(32), ..Default::default() };
        check(
            Limits::of_container(&container),
            expect![[r#"
                memory.use_hierarchy=1
                memory.limit_in_bytes=67108864
                memory.memsw.limit_in_bytes=134217728
                memory.soft_limit_in_bytes=33554432
                cpu.shares=1024
            "#]],
            expect![[r#"
                memory.max=67108864
                memory.swap.max=67108864
                memory.low=33554432
                cpu.weight=39
            "#]],
        );
    }

    #[test]
    fn swap_is_added_on_version_1_and_counted_alone_on_version_2() {
        let container = |max_swap_mib| ContainerSpec {
            memory_mib: Some(64),
            max_swap_mib: Some(max_swap_mib),
            swappiness: Some(10),
            ..Default::default()
        };
        let swap = |max| {
            let limits = Limits::of_container(&container(max));
            let of =
                |writes: Vec<Write>, file: &str| writes.into_iter().find(|w| w.file == file).map(|w| w.value).unwrap_or_default();
            (of(limits.v1(), "memory.memsw.limit_in_bytes"), of(limits.v2(), "memory.swap.max"))
        };
        assert_eq!(swap(0), ("67108864".into(), "0".into()));
        assert_eq!(swap(16), ("83886080".into(), "16777216".into()));
        assert_eq!(swap(-1), ("-1".into(), "max".into()));
    }
}
