//! What a FireLens router is configured with: the text that the stock agent generates, section by section and space by space
//! (`agent/taskresource/firelens/firelensconfig_unix.go`), so that what works with it works here. Pure; options of several
//! containers come in the order of the definition.

use std::collections::BTreeMap;
use std::fmt::Write;
use workload::{ContainerSpec, FirelensFile, FirelensKind, FirelensSpec, NetworkMode, TaskSpec};

const SOCKET: &str = "/var/run/fluent.sock";
/// Of the container that sends its lines, not for the router.
const BUFFER_LIMIT: &str = "log-driver-buffer-limit";
const HEALTH_CHECK: &str = "firelens-healthcheck";
const MEM_BUF_LIMIT_MIB: u64 = 25;

#[derive(Debug, thiserror::Error)]
#[error(
    "unable to generate firelens config file: unable to apply log options of container {container} to firelens config: \
     missing output key {key} which is required for firelens configuration of type {kind}"
)]
pub struct Error {
    container: String,
    key: &'static str,
    kind: &'static str,
}

#[derive(Default)]
struct Config {
    inputs: Vec<Pipe>,
    includes: Vec<Filter>,
    excludes: Vec<Filter>,
    fields: Vec<(&'static str, String)>,
    external: Option<String>,
    outputs: Vec<Pipe>,
}

/// Where lines come from or go to.
struct Pipe {
    name: String,
    tag: String,
    options: BTreeMap<String, String>,
}

struct Filter {
    tag: String,
    pattern: String,
}

pub fn generate(task: &TaskSpec, router: &ContainerSpec, firelens: &FirelensSpec) -> Result<String, Error> {
    let mut config = Config { inputs: inputs(task, router, firelens.kind), ..Config::default() };
    if firelens.kind == FirelensKind::Fluentbit && address(task).is_some() {
        config.outputs.push(pipe("null", HEALTH_CHECK, []));
    }
    if firelens.ecs_metadata {
        let definition = format!("{}:{}", task.family, task.revision);
        let cluster = task.cluster.clone();
        config.fields = vec![("ecs_cluster", cluster), ("ecs_task_arn", task.arn.clone()), ("ecs_task_definition", definition)];
    }
    for container in task.containers.iter().filter(|container| container.log.driver == super::DRIVER) {
        add_routes(&mut config, container, firelens.kind)?;
    }
    config.external = firelens.config_file.as_ref().map(|file| match file {
        FirelensFile::Path(path) => path.clone(),
        FirelensFile::S3(_) => super::external_path(firelens.kind).to_owned(),
    });
    Ok(match firelens.kind {
        FirelensKind::Fluentbit => fluentbit(&config),
        FirelensKind::Fluentd => fluentd(&config),
    })
}

fn inputs(task: &TaskSpec, router: &ContainerSpec, kind: FirelensKind) -> Vec<Pipe> {
    let address = address(task);
    match kind {
        FirelensKind::Fluentd => {
            let socket = pipe("unix", "", [("path", SOCKET)]);
            let port = address.map(|address| pipe("forward", "", [("bind", address), ("port", super::PORT)]));
            [Some(socket), port].into_iter().flatten().collect()
        }
        FirelensKind::Fluentbit => {
            let limit = format!("{}MB", mem_buf_limit_mib(router));
            let socket = pipe("forward", "", [("Mem_Buf_Limit", limit.as_str()), ("unix_path", SOCKET)]);
            let port = address.map(|address| pipe("forward", "", [("Listen", address), ("Port", super::PORT)]));
            let health = address.map(|_| pipe("tcp", HEALTH_CHECK, [("Listen", "127.0.0.1"), ("Port", "8877")]));
            [Some(socket), port, health].into_iter().flatten().collect()
        }
    }
}

/// Where the router listens for programs that send to it themselves; in other network modes it does not.
fn address(task: &TaskSpec) -> Option<&'static str> {
    match task.network_mode {
        NetworkMode::Bridge => Some("0.0.0.0"),
        NetworkMode::Awsvpc => Some("127.0.0.1"),
        NetworkMode::Host | NetworkMode::None => None,
    }
}

/// Half of what the router may use.
fn mem_buf_limit_mib(router: &ContainerSpec) -> u64 {
    let limit = router.memory_reservation_mib.filter(|mib| *mib > 0).or(router.memory_mib).unwrap_or_default();
    Some(limit / 2).filter(|mib| *mib > 0).unwrap_or(MEM_BUF_LIMIT_MIB)
}

fn add_routes(config: &mut Config, container: &ContainerSpec, kind: FirelensKind) -> Result<(), Error> {
    let (key, kind_name, wildcard) = match kind {
        FirelensKind::Fluentd => ("@type", "fluentd", "**"),
        FirelensKind::Fluentbit => ("Name", "fluentbit", "*"),
    };
    let tag = format!("{}-firelens{wildcard}", container.name);
    let mut options = container.log.options.clone();
    let filter = |pattern| Filter { tag: tag.clone(), pattern };
    config.includes.extend(options.remove("include-pattern").map(filter));
    config.excludes.extend(options.remove("exclude-pattern").map(filter));
    options.remove(BUFFER_LIMIT);
    match options.remove(key) {
        Some(name) => config.outputs.push(Pipe { name, tag, options }),
        None if !options.is_empty() => return Err(Error { container: container.name.clone(), key, kind: kind_name }),
        // A file of the user's own may say where these lines go.
        None => {}
    }
    Ok(())
}

fn pipe<const N: usize>(name: &str, tag: &str, options: [(&str, &str); N]) -> Pipe {
    let options = options.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    Pipe { name: name.to_owned(), tag: tag.to_owned(), options }
}

fn fluentbit(config: &Config) -> String {
    let mut text = String::new();
    for Pipe { name, tag, options } in &config.inputs {
        let tag = if tag.is_empty() { String::new() } else { format!("\n    Tag {tag}") };
        say(&mut text, format_args!("[INPUT]\n    Name {name}{tag}{}", indented(options, 4)));
    }
    for (word, filters) in [("Regex ", &config.includes), ("Exclude", &config.excludes)] {
        for Filter { tag, pattern } in filters {
            say(&mut text, format_args!("[FILTER]\n    Name   grep\n    Match {tag}\n    {word} log {pattern}"));
        }
    }
    if !config.fields.is_empty() {
        let records: String = config.fields.iter().map(|(key, value)| format!("\n    Record {key} {value}")).collect();
        say(&mut text, format_args!("[FILTER]\n    Name record_modifier\n    Match *{records}"));
    }
    if let Some(path) = &config.external {
        say(&mut text, format_args!("@INCLUDE {path}"));
    }
    for Pipe { name, tag, options } in &config.outputs {
        say(&mut text, format_args!("[OUTPUT]\n    Name {name}\n    Match {tag}{}", indented(options, 4)));
    }
    text
}

fn fluentd(config: &Config) -> String {
    let mut text = String::new();
    for Pipe { name, options, .. } in &config.inputs {
        say(&mut text, format_args!("<source>\n    @type {name}{}\n</source>", indented(options, 4)));
    }
    for (element, filters) in [("regexp", &config.includes), ("exclude", &config.excludes)] {
        for Filter { tag, pattern } in filters {
            let rule = format!("    <{element}>\n        key log\n        pattern {pattern}\n    </{element}>");
            say(&mut text, format_args!("<filter {tag}>\n    @type  grep\n{rule}\n</filter>"));
        }
    }
    if !config.fields.is_empty() {
        let fields = config.fields.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        let record = format!("    <record>{}\n    </record>", indented(&fields, 8));
        say(&mut text, format_args!("<filter **>\n    @type record_transformer\n{record}\n</filter>"));
    }
    if let Some(path) = &config.external {
        say(&mut text, format_args!("@include {path}"));
    }
    for Pipe { name, tag, options } in &config.outputs {
        say(&mut text, format_args!("<match {tag}>\n    @type {name}{}\n</match>", indented(options, 4)));
    }
    text
}

/// A section and the line before it.
fn say(text: &mut String, section: std::fmt::Arguments) {
    writeln!(text, "\n{section}").expect("a string takes all");
}

fn indented(options: &BTreeMap<String, String>, by: usize) -> String {
    options.iter().map(|(key, value)| format!("\n{:by$}{key} {value}", "")).collect()
}

#[cfg(test)]
#[path = "config/tests.rs"]
mod tests;
