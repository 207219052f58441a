//! An unpacked image as the runtime needs it: where its layers lie and what its configuration says.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Image {
    /// `sha256:…` of the manifest.
    pub digest: String,
    /// Unpacked layer directories, lowest first, ready to be overlayfs lower directories.
    pub layers: Vec<PathBuf>,
    pub entry_point: Vec<String>,
    pub command: Vec<String>,
    /// `NAME=value`, in the image's order.
    pub environment: Vec<String>,
    pub user: String,
    pub working_directory: String,
    pub stop_signal: Option<String>,
    pub volumes: Vec<String>,
    pub exposed_ports: Vec<String>,
    pub labels: BTreeMap<String, String>,
}
