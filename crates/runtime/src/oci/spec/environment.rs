//! The environment: Docker's own variables, then the container's, then what the image has and the container has not. Secrets
//! stand over all of these.

use crate::ContainerRun;
use workload::ContainerSpec;

pub const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub fn of(run: &ContainerRun, container: &ContainerSpec, home: &str) -> Vec<String> {
    let mut environment = vec![DEFAULT_PATH.to_owned(), format!("HOSTNAME={}", run.hostname)];
    if container.pseudo_terminal {
        environment.push("TERM=xterm".to_owned());
    }
    environment.extend(run.environment.iter().map(|(name, value)| format!("{name}={value}")));
    environment.extend(run.image.environment.iter().filter(|entry| !has(&run.environment, entry)).cloned());
    environment.extend(run.secrets.iter().map(|(name, value)| format!("{name}={}", value.0)));
    let mut environment = last_wins(environment);
    if !environment.iter().any(|entry| name(entry) == "HOME") {
        environment.push(format!("HOME={home}"));
    }
    environment
}

fn has(environment: &[(String, String)], entry: &str) -> bool {
    environment.iter().any(|(key, _)| key == name(entry))
}

fn name(entry: &str) -> &str {
    entry.split('=').next().unwrap_or_default()
}

/// A repeated variable keeps its first place and its last value.
fn last_wins(entries: Vec<String>) -> Vec<String> {
    let mut result: Vec<String> = Vec::with_capacity(entries.len());
    for entry in entries {
        match result.iter_mut().find(|earlier| name(earlier) == name(&entry)) {
            Some(earlier) => *earlier = entry,
            None => result.push(entry),
        }
    }
    result
}
