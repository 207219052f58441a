//! The repository's own tools: `cargo xtask <command>`. They write files that are committed and check what CI checks;
//! nothing here is part of the product.

mod codegen;
mod config;
mod models;
mod service;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};

#[derive(Parser)]
#[command(about = "Slipway's repository tools")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write crates/api/<service>/src/generated from models/<service>.json.
    Codegen {
        /// Write nothing; fail if a file would change.
        #[arg(long)]
        check: bool,
    },
    /// Reduce AWS's API models to models/<service>.json.
    ///
    /// To move to a newer model: `pip download --no-deps botocore==<version>`, unzip the wheel, run this on the folder it
    /// was unpacked to, then `cargo xtask codegen`, and commit all of it together with the version.
    Models {
        /// The folder that contains `botocore/data`.
        botocore: PathBuf,
    },
    /// Throw bodies at everything that reads what callers send.
    Fuzz {
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// The seed of the first round, for instance of one that failed.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Codegen { check } => codegen::run(root(), check),
        Command::Models { botocore } => models::run(root(), &botocore),
        Command::Fuzz { seconds, seed } => fuzz(seconds, seed),
    }
}

/// A program of its own: it is built with the generated code, which this one must be able to mend.
fn fuzz(seconds: u64, seed: u64) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = std::process::Command::new(cargo)
        .args(["run", "--quiet", "--package", "xtask", "--features", "fuzz", "--bin", "fuzz", "--"])
        .args([format!("--seconds={seconds}"), format!("--seed={seed}")])
        .current_dir(root())
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "the fuzzing failed");
    Ok(())
}

/// The work tree this tool was built in.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The services there are: one `models/<service>.toml` each.
fn services(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("models");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut services = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            services.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    services.sort();
    Ok(services)
}
