//! Capabilities as bit sets: Docker's default, what a definition adds and drops, and what must be kept until the
//! program's seccomp filter is loaded.

use oci_spec::runtime as oci;
use std::str::FromStr;
use workload::ContainerSpec;

/// In the kernel's order: the index is the bit.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

pub const ALL: u64 = (1 << NAMES.len()) - 1;

/// Docker's default set.
const DEFAULT: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

/// Needed by the very last steps before the program: load the filter, shrink the bounding set.
pub const LAUNCH: u64 = 1 << index("SYS_ADMIN") | 1 << index("SETPCAP");

pub const fn bit(name: &str) -> u64 {
    1 << index(name)
}

const fn index(name: &str) -> usize {
    let mut i = 0;
    while i < NAMES.len() {
        if same(NAMES[i].as_bytes(), name.as_bytes()) {
            return i;
        }
        i += 1;
    }
    panic!("a name of the table")
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

pub fn of(container: &ContainerSpec) -> Result<u64, String> {
    if container.privileged {
        return Ok(ALL);
    }
    let (added, adds_all) = set(&container.cap_add, "CapAdd")?;
    let (dropped, drops_all) = set(&container.cap_drop, "CapDrop")?;
    let default = DEFAULT.iter().fold(0, |set, name| set | bit(name));
    Ok(match (adds_all, drops_all) {
        (true, _) => ALL & !dropped,
        (false, true) => added,
        (false, false) => (default & !dropped) | added,
    })
}

/// The named ones, and whether `ALL` is among the names.
fn set(names: &[String], field: &str) -> Result<(u64, bool), String> {
    let mut result = (0, false);
    for name in names {
        let upper = name.to_uppercase();
        match upper.strip_prefix("CAP_").unwrap_or(&upper) {
            "ALL" => result.1 = true,
            short => {
                result.0 |= 1 << position(short).ok_or_else(|| format!("invalid {field}: unknown capability: \"CAP_{short}\""))?
            }
        }
    }
    Ok(result)
}

fn position(name: &str) -> Option<usize> {
    NAMES.iter().position(|n| *n == name)
}

/// The sets libcontainer gives the process; `launch` takes the surplus away again.
pub fn until_launch(program: u64, bounding: u64) -> oci::LinuxCapabilities {
    let set = to_oci((program | LAUNCH) & bounding);
    let mut capabilities = oci::LinuxCapabilities::default();
    capabilities
        .set_bounding(Some(set.clone()))
        .set_effective(Some(set.clone()))
        .set_permitted(Some(set))
        .set_inheritable(Some(to_oci(0)))
        .set_ambient(Some(to_oci(0)));
    capabilities
}

fn to_oci(set: u64) -> oci::Capabilities {
    let names = NAMES.iter().enumerate().filter(|(bit, _)| set & (1 << bit) != 0);
    names.filter_map(|(_, name)| oci::Capability::from_str(name).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(add: &[&str], drop: &[&str], expected: Result<&str, &str>) {
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        let container = ContainerSpec { cap_add: owned(add), cap_drop: owned(drop), ..Default::default() };
        let result = of(&container).map(|set| format!("{set:016x}"));
        assert_eq!(result.as_deref().map_err(String::as_str), expected, "{add:?} {drop:?}");
    }

    #[test]
    fn adds_and_drops_as_docker_does() {
        check(&[], &[], Ok("00000000a80425fb"));
        check(&["NET_ADMIN"], &[], Ok("00000000a80435fb"));
        check(&["cap_net_admin"], &["CAP_CHOWN"], Ok("00000000a80435fa"));
        check(&[], &["ALL"], Ok("0000000000000000"));
        check(&["SYS_PTRACE"], &["ALL"], Ok("0000000000080000"));
        check(&["ALL"], &["CHOWN"], Ok("000001fffffffffe"));
        check(&["NO_SUCH"], &[], Err("invalid CapAdd: unknown capability: \"CAP_NO_SUCH\""));
    }

    #[test]
    fn every_name_is_one_the_oci_document_knows() {
        assert_eq!(to_oci(ALL).len(), NAMES.len());
    }
}
