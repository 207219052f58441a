//! What a container uses, in the shape of Docker's statistics: one reading of its cgroup, made when somebody asks. What Docker
//! shows beside it as the reading before is the one made for whoever asked before.

use super::document::time;
use base::Time;
use runtime::oci::{Flow, Traffic, Usage};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Go's zero time: there was no reading before.
const NEVER: &str = "0001-01-01T00:00:00Z";
const NS_PER_TICK: u64 = 10_000_000;
/// Those of ended containers go when there are as many.
const KEPT: usize = 256;
const KEPT_FOR: Duration = Duration::from_secs(3600);

#[derive(Clone, Debug, Default)]
pub struct Reading {
    pub at: Time,
    pub usage: Usage,
    pub host: HostUsage,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct HostUsage {
    /// Of all processors together, busy and idle.
    pub cpu_ns: u64,
    pub processors: u64,
    pub memory_bytes: u64,
}

/// The last reading of each container, by its runtime id.
#[derive(Default)]
pub struct Readings(BTreeMap<String, Reading>);

impl Readings {
    /// The one before.
    pub fn replace(&mut self, runtime_id: &str, reading: Reading) -> Option<Reading> {
        if self.0.len() >= KEPT {
            self.0.retain(|_, kept| reading.at.since(kept.at) < KEPT_FOR);
        }
        self.0.insert(runtime_id.to_owned(), reading)
    }
}

impl HostUsage {
    pub fn read() -> HostUsage {
        let read = |path: &str| std::fs::read_to_string(Path::new(path)).unwrap_or_default();
        host(&read("/proc/stat"), &read("/proc/meminfo"))
    }
}

fn host(stat: &str, meminfo: &str) -> HostUsage {
    // Guests' time, behind the seventh, is in users' already.
    let all = stat.lines().find_map(|line| line.strip_prefix("cpu ")).unwrap_or_default();
    let ticks: u64 = all.split_whitespace().take(7).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    let is_processor = |line: &&str| line.starts_with("cpu") && !line.starts_with("cpu ");
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB"));
    HostUsage {
        cpu_ns: ticks.saturating_mul(NS_PER_TICK),
        processors: stat.lines().filter(is_processor).count() as u64,
        memory_bytes: total.and_then(|kib| kib.trim().parse::<u64>().ok()).unwrap_or_default() * 1024,
    }
}

/// `networked`: whether the traffic is the container's own, which in the host's network it is not.
pub fn document(docker_name: &str, runtime_id: &str, now: &Reading, before: Option<&Reading>, networked: bool) -> Value {
    let usage = &now.usage;
    let mut document = json!({
        "read": time(now.at),
        "preread": before.map_or_else(|| NEVER.to_owned(), |before| time(before.at)),
        "pids_stats": { "current": usage.processes },
        "blkio_stats": blkio(usage),
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": cpu(Some(now)),
        "precpu_stats": cpu(before),
        "memory_stats": memory(now),
        "name": format!("/{docker_name}"),
        "id": runtime_id,
    });
    if let Some(traffic) = usage.traffic.filter(|_| networked) {
        document["networks"] = json!({ "eth0": network(traffic) });
        document["network_rate_stats"] = rates(now, before);
    }
    document
}

fn blkio(usage: &Usage) -> Value {
    let entry = |op: &str, value: u64| json!({ "major": 0, "minor": 0, "op": op, "value": value });
    let transferred = [entry("Read", usage.read_bytes), entry("Write", usage.written_bytes)];
    let mut stats: Map<String, Value> = Map::new();
    stats.insert("io_service_bytes_recursive".into(), transferred.to_vec().into());
    let others = [
        "io_serviced_recursive",
        "io_queue_recursive",
        "io_service_time_recursive",
        "io_wait_time_recursive",
        "sectors_recursive",
    ];
    stats.extend(others.map(|name| (name.to_owned(), Value::Array(vec![]))));
    stats.into()
}

/// Without a reading, Docker shows zeros and leaves out what is the host's.
fn cpu(reading: Option<&Reading>) -> Value {
    let usage = reading.map(|reading| reading.usage).unwrap_or_default();
    let mut stats = json!({
        "cpu_usage": {
            "total_usage": usage.cpu_ns,
            "usage_in_kernelmode": usage.cpu_system_ns,
            "usage_in_usermode": usage.cpu_user_ns,
        },
        "throttling_data": { "periods": 0, "throttled_periods": 0, "throttled_time": 0 },
    });
    if let Some(reading) = reading {
        stats["system_cpu_usage"] = reading.host.cpu_ns.into();
        stats["online_cpus"] = reading.host.processors.into();
    }
    stats
}

/// With the page cache, which readers of this subtract as Docker's own client does.
fn memory(now: &Reading) -> Value {
    let Usage { memory_bytes, inactive_file_bytes, memory_limit_bytes, .. } = now.usage;
    json!({
        "usage": memory_bytes + inactive_file_bytes,
        "stats": { "inactive_file": inactive_file_bytes, "total_inactive_file": inactive_file_bytes },
        "limit": memory_limit_bytes.unwrap_or(now.host.memory_bytes),
    })
}

fn network(traffic: Traffic) -> Value {
    let flow = |prefix: &str, flow: Flow| {
        let Flow { bytes, packets, errors, dropped } = flow;
        [("bytes", bytes), ("packets", packets), ("errors", errors), ("dropped", dropped)]
            .map(|(name, value)| (format!("{prefix}_{name}"), Value::from(value)))
    };
    let both = flow("rx", traffic.received).into_iter().chain(flow("tx", traffic.sent));
    Value::Object(both.collect())
}

fn rates(now: &Reading, before: Option<&Reading>) -> Value {
    let seconds = before.map_or(0.0, |before| now.at.since(before.at).as_secs_f64());
    let rate = |of: fn(&Traffic) -> u64| {
        let bytes = |reading: &Reading| reading.usage.traffic.as_ref().map_or(0, of);
        let more = before.map_or(0, |before| bytes(now).saturating_sub(bytes(before)));
        if seconds > 0.0 { more as f64 / seconds } else { 0.0 }
    };
    json!({ "rx_bytes_per_sec": rate(|t| t.received.bytes), "tx_bytes_per_sec": rate(|t| t.sent.bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn the_host_is_read_from_its_files() {
        let stat = "cpu  1 2 3 4 5 6 7 100 100\ncpu0 1 1 1\ncpu1 1 1 1\nintr 5\n";
        let HostUsage { cpu_ns, processors, memory_bytes } = host(stat, "MemTotal:        2 kB\n");
        assert_eq!((cpu_ns, processors, memory_bytes), (280_000_000, 2, 2048));
    }

    #[test]
    fn a_reading_has_dockers_shape() {
        let flow = |bytes| Flow { bytes, packets: 2, errors: 0, dropped: 1 };
        let reading = |at, cpu_ns, bytes| Reading {
            at: Time(at),
            usage: Usage {
                cpu_ns,
                memory_bytes: 1000,
                inactive_file_bytes: 24,
                processes: 3,
                read_bytes: 5,
                traffic: Some(Traffic { received: flow(bytes), sent: flow(0) }),
                ..Usage::default()
            },
            host: HostUsage { cpu_ns: 10 * cpu_ns, processors: 2, memory_bytes: 4096 },
        };
        let (first, second) = (reading(1_000, 100, 7), reading(3_000, 400, 107));
        let document = super::document("ecs-web-1-app-00", "id", &second, Some(&first), true);
        expect![[r#"
            {
              "read": "1970-01-01T00:00:03Z",
              "preread": "1970-01-01T00:00:01Z",
              "pids_stats": {
                "current": 3
              },
              "blkio_stats": {
                "io_service_bytes_recursive": [
                  {
                    "major": 0,
                    "minor": 0,
                    "op": "Read",
                    "value": 5
                  },
                  {
                    "major": 0,
                    "minor": 0,
                    "op": "Write",
                    "value": 0
                  }
                ],
                "io_serviced_recursive": [],
                "io_queue_recursive": [],
                "io_service_time_recursive": [],
                "io_wait_time_recursive": [],
                "sectors_recursive": []
              },
              "num_procs": 0,
              "storage_stats": {},
              "cpu_stats": {
                "cpu_usage": {
                  "total_usage": 400,
                  "usage_in_kernelmode": 0,
                  "usage_in_usermode": 0
                },
                "throttling_data": {
                  "periods": 0,
                  "throttled_periods": 0,
                  "throttled_time": 0
                },
                "system_cpu_usage": 4000,
                "online_cpus": 2
              },
              "precpu_stats": {
                "cpu_usage": {
                  "total_usage": 100,
                  "usage_in_kernelmode": 0,
                  "usage_in_usermode": 0
                },
                "throttling_data": {
                  "periods": 0,
                  "throttled_periods": 0,
                  "throttled_time": 0
                },
                "system_cpu_usage": 1000,
                "online_cpus": 2
              },
              "memory_stats": {
                "usage": 1024,
                "stats": {
                  "inactive_file": 24,
                  "total_inactive_file": 24
                },
                "limit": 4096
              },
              "name": "/ecs-web-1-app-00",
              "id": "id",
              "networks": {
                "eth0": {
                  "rx_bytes": 107,
                  "rx_packets": 2,
                  "rx_errors": 0,
                  "rx_dropped": 1,
                  "tx_bytes": 0,
                  "tx_packets": 2,
                  "tx_errors": 0,
                  "tx_dropped": 1
                }
              },
              "network_rate_stats": {
                "rx_bytes_per_sec": 50.0,
                "tx_bytes_per_sec": 0.0
              }
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&document).unwrap());
        let alone = super::document("ecs-web-1-app-00", "id", &first, None, false);
        assert_eq!((&alone["preread"], &alone["precpu_stats"]["system_cpu_usage"]), (&json!(NEVER), &Value::Null));
        assert_eq!(alone.get("networks"), None);
    }
}
