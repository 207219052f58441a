//! What a cgroup has used until now, read when somebody asks. Files a kernel does not have count as nothing used.

use super::{Group, Host};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// Version 1 says "no limit" as the largest number of pages.
const NO_LIMIT_BYTES: u64 = 1 << 62;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Of all processors together, since the group was made.
    pub cpu_ns: u64,
    pub cpu_user_ns: u64,
    pub cpu_system_ns: u64,
    /// Without the page cache that can be dropped at once, as Docker counts it.
    pub memory_bytes: u64,
    /// That page cache.
    pub inactive_file_bytes: u64,
    pub memory_limit_bytes: Option<u64>,
    pub processes: u64,
    /// From and to disks.
    pub read_bytes: u64,
    pub written_bytes: u64,
    /// Through the interface of its network; `None` without one.
    pub traffic: Option<Traffic>,
}

/// As the container sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Traffic {
    pub received: Flow,
    pub sent: Flow,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    pub bytes: u64,
    pub packets: u64,
    pub errors: u64,
    pub dropped: u64,
}

impl Group {
    /// `None` if there is no such group.
    pub fn usage(&self) -> Option<Usage> {
        let exists = self.dirs().iter().any(|dir| dir.exists());
        exists.then(|| {
            let usage = match self.host() {
                Host::V1(_) => self.usage_v1(),
                Host::V2(root) => usage_v2(&root.join(&self.path)),
            };
            Usage { traffic: self.traffic(), ..usage }
        })
    }

    /// One of its processes tells what the network is that all of them share.
    fn traffic(&self) -> Option<Traffic> {
        let pid = self.dirs().iter().find_map(|dir| read(dir, "cgroup.procs").lines().next().map(str::to_owned))?;
        traffic(&read(Path::new("/proc"), &format!("{pid}/net/dev")))
    }

    fn usage_v1(&self) -> Usage {
        let text = |controller: &str, file: &str| self.dir_of(controller).map(|dir| read(&dir, file)).unwrap_or_default();
        let inactive = field(&text("memory", "memory.stat"), "total_inactive_file");
        let (read_bytes, written_bytes) = transferred_v1(&text("blkio", "blkio.throttle.io_service_bytes_recursive"));
        Usage {
            cpu_ns: number(&text("cpuacct", "cpuacct.usage")),
            cpu_user_ns: number(&text("cpuacct", "cpuacct.usage_user")),
            cpu_system_ns: number(&text("cpuacct", "cpuacct.usage_sys")),
            memory_bytes: number(&text("memory", "memory.usage_in_bytes")).saturating_sub(inactive),
            inactive_file_bytes: inactive,
            memory_limit_bytes: limit(&text("memory", "memory.limit_in_bytes")),
            processes: number(&text("pids", "pids.current")),
            read_bytes,
            written_bytes,
            traffic: None,
        }
    }
}

fn usage_v2(dir: &Path) -> Usage {
    let inactive = field(&read(dir, "memory.stat"), "inactive_file");
    let (read_bytes, written_bytes) = transferred_v2(&read(dir, "io.stat"));
    let cpu_stat = read(dir, "cpu.stat");
    let cpu = |name: &str| field(&cpu_stat, name).saturating_mul(1000);
    Usage {
        cpu_ns: cpu("usage_usec"),
        cpu_user_ns: cpu("user_usec"),
        cpu_system_ns: cpu("system_usec"),
        memory_bytes: number(&read(dir, "memory.current")).saturating_sub(inactive),
        inactive_file_bytes: inactive,
        memory_limit_bytes: limit(&read(dir, "memory.max")),
        processes: number(&read(dir, "pids.current")),
        read_bytes,
        written_bytes,
        traffic: None,
    }
}

fn read(dir: &Path, file: &str) -> String {
    fs::read_to_string(dir.join(file)).unwrap_or_default()
}

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or_default()
}

fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|limit| *limit < NO_LIMIT_BYTES)
}

/// `name value`, a line each.
fn field(text: &str, name: &str) -> u64 {
    text.lines().find_map(|line| number_after(line, name, ' ')).unwrap_or_default()
}

fn number_after(text: &str, name: &str, separator: char) -> Option<u64> {
    text.strip_prefix(name)?.strip_prefix(separator)?.trim().parse().ok()
}

/// `8:0 Read 4096`, a line each device and kind.
fn transferred_v1(text: &str) -> (u64, u64) {
    let of = |kind: &str| {
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        lines.filter_map(|(_, rest)| number_after(rest, kind, ' ')).fold(0, u64::saturating_add)
    };
    (of("Read"), of("Write"))
}

/// `8:0 rbytes=4096 wbytes=0 …`, a line each device.
fn transferred_v2(text: &str) -> (u64, u64) {
    let of = |name: &str| {
        let words = text.split_whitespace();
        words.filter_map(|word| number_after(word, name, '=')).fold(0, u64::saturating_add)
    };
    (of("rbytes"), of("wbytes"))
}

/// `  eth0: ` and sixteen numbers: what was received, then what was sent, bytes, packets, errors and drops first.
fn traffic(text: &str) -> Option<Traffic> {
    let numbers = text.lines().find_map(|line| line.trim_start().strip_prefix("eth0:"))?;
    let numbers: Vec<u64> = numbers.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let flow = |numbers: &[u64]| Flow { bytes: numbers[0], packets: numbers[1], errors: numbers[2], dropped: numbers[3] };
    (numbers.len() == 16).then(|| Traffic { received: flow(&numbers[..8]), sent: flow(&numbers[8..]) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use std::path::PathBuf;

    fn files(dir: &Path, files: &[(&str, &str)]) {
        fs::create_dir_all(dir).unwrap();
        files.iter().for_each(|(name, text)| fs::write(dir.join(name), text).unwrap());
    }

    #[test]
    fn version_1_says_it_in_four_hierarchies() {
        let root = tempfile::tempdir().unwrap();
        let hierarchy = |name: &str| super::super::Hierarchy { controllers: vec![name.into()], mount: root.path().join(name) };
        let host = Host::V1(["cpuacct", "memory", "pids", "blkio"].map(hierarchy).to_vec());
        assert_eq!(host.group("a/b").usage(), None);
        let dir = |name: &str| -> PathBuf { root.path().join(name).join("a/b") };
        files(&dir("cpuacct"), &[("cpuacct.usage", "1500000000\n")]);
        files(
            &dir("memory"),
            &[
                ("memory.usage_in_bytes", "9000\n"),
                ("memory.stat", "inactive_file 1\ntotal_inactive_file 1000\n"),
                ("memory.limit_in_bytes", "9223372036854771712\n"),
            ],
        );
        files(&dir("pids"), &[("pids.current", "3\n")]);
        let io = "8:0 Read 4096\n8:0 Write 10\n8:16 Read 4\n8:16 Write 0\n8:16 Total 4\nTotal 4110\n";
        files(&dir("blkio"), &[("blkio.throttle.io_service_bytes_recursive", io)]);
        expect![[r#"
            Usage {
                cpu_ns: 1500000000,
                cpu_user_ns: 0,
                cpu_system_ns: 0,
                memory_bytes: 8000,
                inactive_file_bytes: 1000,
                memory_limit_bytes: None,
                processes: 3,
                read_bytes: 4100,
                written_bytes: 10,
                traffic: None,
            }
        "#]]
        .assert_debug_eq(&host.group("a/b").usage().unwrap());
    }

    #[test]
    fn traffic_is_that_of_the_one_interface() {
        let text =
            "Inter-| Receive | Transmit\n lo: 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n  eth0: 10 2 3 4 0 0 0 0 50 6 7 8 0 0 0 0\n";
        let Traffic { received, sent } = traffic(text).unwrap();
        assert_eq!([received.bytes, received.packets, received.errors, received.dropped], [10, 2, 3, 4]);
        assert_eq!([sent.bytes, sent.packets, sent.errors, sent.dropped], [50, 6, 7, 8]);
        assert_eq!((traffic("lo: 1"), traffic("eth0: 1 2")), (None, None));
    }

    #[test]
    fn version_2_says_it_in_one() {
        let root = tempfile::tempdir().unwrap();
        files(
            &root.path().join("a/b"),
            &[
                ("cpu.stat", "usage_usec 1500\nuser_usec 1000\n"),
                ("memory.current", "9000\n"),
                ("memory.stat", "anon 5\ninactive_file 1000\n"),
                ("memory.max", "67108864\n"),
                ("pids.current", "3\n"),
                ("io.stat", "8:0 rbytes=4096 wbytes=10 rios=1 wios=1\n8:16 rbytes=4 wbytes=0\n"),
            ],
        );
        expect![[r#"
            Usage {
                cpu_ns: 1500000,
                cpu_user_ns: 1000000,
                cpu_system_ns: 0,
                memory_bytes: 8000,
                inactive_file_bytes: 1000,
                memory_limit_bytes: Some(
                    67108864,
                ),
                processes: 3,
                read_bytes: 4100,
                written_bytes: 10,
                traffic: None,
            }
        "#]]
        .assert_debug_eq(&Host::V2(root.path().to_owned()).group("a/b").usage().unwrap());
    }
}
