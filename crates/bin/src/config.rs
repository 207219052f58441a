//! Settings of a server: the command line wins over the environment, that over the file, that over the defaults.

use crate::nodes::{Fleet, fleet};
use agent::efs::{FileSystems, parse_export};
use anyhow::{Context, bail};
use clap::Args;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const DATA_DIR: &str = "/var/lib/slipway";

/// Access keys every local AWS tool knows; no secret, so accepted on loopback only. The last is what moto's tests sign with.
pub const TEST_KEYS: [(&str, &str); 3] =
    [("test", "test"), ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), ("FOOBARKEY", "FOOBARSECRET")];

#[derive(Args, Clone, Debug, Default)]
pub struct Flags {
    /// Address to serve every API on [default: 127.0.0.1:4566]
    #[arg(long, global = true, env = "SLIPWAY_LISTEN", value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,
    /// Where everything is kept [default: /var/lib/slipway]
    #[arg(long, global = true, env = "SLIPWAY_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// AWS account id of callers whose keys do not say another [default: 123456789012]
    #[arg(long, global = true, env = "SLIPWAY_ACCOUNT", value_name = "ID")]
    pub account: Option<String>,
    /// Region of this host's container instance, and of clients that `slipway env` sets up [default: us-east-1]
    #[arg(long, global = true, env = "SLIPWAY_REGION", value_name = "REGION")]
    pub region: Option<String>,
    /// Where an EFS file system is: a server of NFS 4.1 and what it exports. May be given more than once
    #[arg(long, global = true, env = "SLIPWAY_EFS", value_name = "ID=HOST:/PATH", value_delimiter = ',')]
    pub efs: Vec<String>,
    /// Seconds after which a running task without a health check counts as healthy; fractions count [default: 40, as on AWS]
    #[arg(long, global = true, env = "SLIPWAY_HEALTHY_AFTER", value_name = "SECONDS")]
    pub healthy_after: Option<f64>,
    /// Where objects of S3 are: a directory with buckets in it, or the URL of an endpoint
    #[arg(long, global = true, env = "SLIPWAY_S3", value_name = "DIR|URL")]
    pub s3: Option<String>,
    /// TOML file with these settings, access keys and registries
    #[arg(long, global = true, env = "SLIPWAY_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Serve POST /moto-api/reset, which forgets everything. For test suites only
    #[arg(long, global = true, env = "SLIPWAY_ENABLE_RESET", hide = true)]
    pub enable_reset: bool,
}

/// The file's members, all optional.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    listen: Option<SocketAddr>,
    data_dir: Option<PathBuf>,
    account: Option<String>,
    region: Option<String>,
    s3: Option<String>,
    stopped_task_retention_seconds: Option<u64>,
    task_pids_limit: Option<u64>,
    healthy_after: Option<f64>,
    subnet: Option<String>,
    nodes: Option<String>,
    dynamic_ports: Option<(u16, u16)>,
    /// By file system id: `HOST:/path`.
    efs: BTreeMap<String, String>,
    access_keys: Vec<AccessKey>,
    registries: Registries,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessKey {
    pub id: String,
    pub secret: String,
    /// The account whose resources this key sees; the server's own if absent.
    pub account: Option<String>,
}

impl std::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AccessKey({})", self.id)
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Registries {
    /// Host that an image name without one means.
    pub default: Option<String>,
    /// Hosts spoken to over plain HTTP, besides loopback.
    pub insecure: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    pub account: String,
    pub region: String,
    pub s3: Option<String>,
    pub stopped_task_retention_seconds: u64,
    /// ECS_TASK_PIDS_LIMIT of the stock agent: more processes than these a task does not get.
    pub task_pids_limit: Option<u64>,
    pub healthy_after: Duration,
    pub subnet: Option<String>,
    pub nodes: Vec<Fleet>,
    pub dynamic_ports: Option<(u16, u16)>,
    pub efs: FileSystems,
    pub access_keys: Vec<AccessKey>,
    pub registries: Registries,
    pub enable_reset: bool,
}

impl Config {
    pub fn load(flags: &Flags) -> anyhow::Result<Config> {
        let file = flags.config.as_deref().map(read).transpose()?.unwrap_or_default();
        let config = Config {
            listen: flags.listen.or(file.listen).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 4566))),
            data_dir: flags.data_dir.clone().or(file.data_dir).unwrap_or_else(|| DATA_DIR.into()),
            account: flags.account.clone().or(file.account).unwrap_or_else(|| "123456789012".into()),
            region: flags.region.clone().or(file.region).unwrap_or_else(|| "us-east-1".into()),
            s3: flags.s3.clone().or(file.s3),
            task_pids_limit: file.task_pids_limit,
            stopped_task_retention_seconds: file
                .stopped_task_retention_seconds
                .unwrap_or(base::limits::STOPPED_TASK_RETENTION_SECONDS),
            healthy_after: seconds(flags.healthy_after.or(file.healthy_after).unwrap_or(40.0))?,
            subnet: file.subnet,
            nodes: fleet::several(file.nodes.as_deref().unwrap_or("1")).context("nodes")?,
            dynamic_ports: file.dynamic_ports,
            efs: file_systems(file.efs, &flags.efs)?,
            access_keys: file.access_keys,
            registries: file.registries,
            enable_reset: flags.enable_reset,
        };
        config.checked()
    }

    fn checked(self) -> anyhow::Result<Config> {
        if self.account.len() != 12 || !self.account.bytes().all(|b| b.is_ascii_digit()) {
            bail!("account {:?} is not twelve digits", self.account);
        }
        if !self.listen.ip().is_loopback() && self.access_keys.is_empty() {
            bail!(
                "refusing to listen on {}: beyond loopback the well-known test keys would let anyone in; \
                 put [[access_keys]] into a file given with --config",
                self.listen
            );
        }
        Ok(self)
    }

    /// Whether the well-known test keys are accepted.
    pub fn accepts_test_keys(&self) -> bool {
        self.access_keys.is_empty()
    }
}

/// The command line's beside the file's, over it by id.
fn file_systems(mut exports: BTreeMap<String, String>, flags: &[String]) -> anyhow::Result<FileSystems> {
    for flag in flags {
        let (id, export) = flag.split_once('=').with_context(|| format!("--efs {flag}: expected ID=HOST:/PATH"))?;
        exports.insert(id.to_owned(), export.to_owned());
    }
    let parse = |(id, text): (String, String)| {
        let export = parse_export(&text).with_context(|| format!("EFS file system {id}: {text:?} is not HOST:/PATH"))?;
        Ok((id, export))
    };
    exports.into_iter().map(parse).collect()
}

fn seconds(given: f64) -> anyhow::Result<Duration> {
    Duration::try_from_secs_f64(given).with_context(|| format!("healthy_after: {given} is no number of seconds"))
}

fn read(path: &Path) -> anyhow::Result<File> {
    let text = std::fs::read_to_string(path).with_context(|| format!("config file {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("config file {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(flags: Flags) -> Result<Config, String> {
        Config::load(&flags).map_err(|e| e.to_string())
    }

    #[test]
    fn the_command_line_wins_over_the_file_and_that_over_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slipway.toml");
        std::fs::write(&path, "region = \"eu-west-1\"\naccount = \"000000000001\"\n").unwrap();
        let config = load(Flags { config: Some(path), account: Some("000000000002".into()), ..Flags::default() }).unwrap();
        assert_eq!((config.account.as_str(), config.region.as_str(), config.listen.port()), ("000000000002", "eu-west-1", 4566));
    }

    #[test]
    fn listening_beyond_loopback_needs_keys() {
        let error = load(Flags { listen: Some("0.0.0.0:4566".parse().unwrap()), ..Flags::default() }).unwrap_err();
        assert!(error.starts_with("refusing to listen on 0.0.0.0:4566"), "{error}");
    }

    #[test]
    fn a_file_system_is_at_a_host_and_a_path() {
        let efs = |text: &str| load(Flags { efs: vec![text.to_owned()], ..Flags::default() }).map(|config| config.efs);
        let systems = efs("fs-1=nfs.example.com:/srv").unwrap();
        assert_eq!((systems["fs-1"].host.as_str(), systems["fs-1"].path.as_str()), ("nfs.example.com", "/srv"));
        assert_eq!(efs("fs-1").unwrap_err(), "--efs fs-1: expected ID=HOST:/PATH");
        assert_eq!(efs("fs-1=/srv").unwrap_err(), "EFS file system fs-1: \"/srv\" is not HOST:/PATH");
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("slipway.toml");
        std::fs::write(&path, "regoin = \"eu-west-1\"\n").unwrap();
        assert!(load(Flags { config: Some(path), ..Flags::default() }).is_err());
    }
}
