//! The nodes of this process: usually one, the host; with `--nodes` several beside each other on it, each with its own agent,
//! memory, addresses and containers. They share the images and the program, and nothing else.

pub mod fleet;
mod link;
mod node;
mod place;

pub use fleet::Fleet;
pub use node::Node;

use crate::config::Config;
use crate::images::Images;
use crate::metadata;
use agent::References;
use agent::logging::LogDrivers;
use anyhow::{Context, bail};
use kernel::Plane;
use net::linux::Range;
use node::Shared;
use place::Place;
use runtime::oci::OciRuntime;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Ports that this process listens on.
#[derive(Clone, Copy)]
pub struct Listeners {
    pub api_port: u16,
    pub metadata_port: u16,
}

/// What the nodes of a server have in common.
pub struct Common {
    pub config: Config,
    pub listeners: Listeners,
    pub plane: Plane,
    pub images: Arc<Images>,
    pub log_drivers: LogDrivers,
    pub references: Arc<dyn References>,
}

pub struct Nodes(Vec<Arc<Node>>);

/// Says so when an agent dies.
pub struct Failures(mpsc::UnboundedReceiver<()>);

impl Nodes {
    /// In turn, so that each finds the host as the ones before it left it.
    pub async fn start(common: Common) -> anyhow::Result<(Nodes, Failures)> {
        let places = place::places(&common.config)?;
        nobody_is_left_out(&common.config.data_dir, &places)?;
        let (failures, failed) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared { range: range(&common.config, &places)?, common, failures });
        let mut nodes = Vec::new();
        for place in places {
            nodes.push(Arc::new(Node::take_up(Arc::clone(&shared), place).await?));
        }
        Ok((Nodes(nodes), Failures(failed)))
    }

    pub fn all(&self) -> &[Arc<Node>] {
        &self.0
    }

    pub fn named(&self, name: &str) -> Option<&Arc<Node>> {
        self.0.iter().find(|node| node.place.name == name)
    }

    /// Of the node with this id, while it is not stopped.
    pub fn runtime(&self, id: &str) -> Option<Arc<OciRuntime>> {
        self.0.iter().find(|node| node.id == id)?.runtime()
    }

    /// Where the questions of containers are answered.
    pub fn asked(&self) -> Vec<metadata::Node> {
        self.0.iter().filter_map(|node| node.asked()).collect()
    }

    /// The other way round: what the first one changed for all of them, it takes back when nobody else is left.
    pub async fn leave(&self) {
        for node in self.0.iter().rev() {
            node.leave().await;
        }
    }
}

impl Failures {
    pub async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending().await
        }
    }
}

fn range(config: &Config, places: &[Place]) -> anyhow::Result<Option<Range>> {
    if places.iter().all(|place| place.part.is_none()) {
        return Ok(None);
    }
    let homes = place::homes(&config.data_dir);
    std::fs::create_dir_all(&homes)?;
    Ok(Some(Range::claim(&homes.join("range.json"), config.subnet.as_deref().map(str::parse).transpose().context("subnet")?)?))
}

/// Containers of a node that is not started would run on with nobody to answer for them.
fn nobody_is_left_out(data_dir: &Path, places: &[Place]) -> anyhow::Result<()> {
    let nodes = children(&place::homes(data_dir)).into_iter().chain([data_dir.to_owned()]);
    let mut left_out = nodes.filter(|home| places.iter().all(|place| place.home != *home));
    match left_out.find(|home| !children(&home.join("runtime")).is_empty()) {
        Some(home) => bail!(
            "containers run on the node of {}, which is none of the {} asked for: start it with as many --nodes as before, and \
             stop its tasks or the node first",
            home.display(),
            places.len()
        ),
        None => Ok(()),
    }
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}
