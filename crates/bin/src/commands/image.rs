//! `slipway image …`: brings images to this host without a registry.

use super::lines::Lines;
use super::say;
use crate::client::{Client, RequestBody};
use anyhow::{Context, bail};
use bytes::Bytes;
use futures_util::TryStreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use std::path::{Path, PathBuf};
use tokio_util::io::ReaderStream;

#[derive(clap::Subcommand, Debug)]
pub enum Image {
    /// Loads a `docker save` archive or an OCI layout (a directory or a tar, compressed or not); `-` reads standard input
    Load { file: PathBuf },
    /// Pulls an image from its registry, showing how far it is
    Pull { image: String },
    /// Lists the images of this host
    Ls,
}

pub async fn run(client: &Client, image: Image) -> anyhow::Result<()> {
    match image {
        Image::Load { file } => load(client, &file).await,
        Image::Pull { image } => pull(client, &image).await,
        Image::Ls => list(client).await,
    }
}

async fn load(client: &Client, file: &Path) -> anyhow::Result<()> {
    let response = client.own("POST", "images", archive(file).await?).await?;
    let loaded: Vec<serde_json::Value> = serde_json::from_slice(&response.into_body().collect().await?.to_bytes())?;
    for image in loaded {
        let digest = image["digest"].as_str().unwrap_or_default();
        let names: Vec<&str> = image["names"].as_array().into_iter().flatten().filter_map(|name| name.as_str()).collect();
        say(format_args!(
            "loaded {} ({digest})",
            if names.is_empty() { "an image without a name".into() } else { names.join(", ") }
        ));
    }
    Ok(())
}

async fn archive(file: &Path) -> anyhow::Result<RequestBody> {
    if file == Path::new("-") {
        return Ok(streamed(tokio::io::stdin()));
    }
    let context = || format!("{}", file.display());
    if tokio::fs::metadata(file).await.with_context(context)?.is_dir() {
        return Ok(streamed(packed(file).with_context(context)?));
    }
    Ok(streamed(tokio::fs::File::open(file).await.with_context(context)?))
}

async fn pull(client: &Client, image: &str) -> anyhow::Result<()> {
    let mut lines = Lines::new(client.own("POST", &format!("pull/{image}"), crate::client::empty()).await?.into_body());
    while let Some(line) = lines.next::<serde_json::Value>().await? {
        match (line["text"].as_str(), line["digest"].as_str(), line["error"].as_str()) {
            (Some(text), _, _) => drop(say(format_args!("{image}: {text}"))),
            (_, Some(digest), _) => drop(say(format_args!("{image}: {digest}"))),
            (_, _, error) => bail!("{image}: {}", error.unwrap_or("no reason given")),
        }
    }
    Ok(())
}

/// An OCI layout's directory as the tar it would be.
fn packed(directory: &Path) -> std::io::Result<tokio::fs::File> {
    let mut archive = tar::Builder::new(tempfile::tempfile()?);
    archive.append_dir_all(".", directory)?;
    let mut file = archive.into_inner()?;
    std::io::Seek::rewind(&mut file)?;
    Ok(tokio::fs::File::from_std(file))
}

fn streamed(reader: impl tokio::io::AsyncRead + Send + Sync + 'static) -> RequestBody {
    let frames = ReaderStream::with_capacity(reader, 256 * 1024).map_ok(|bytes: Bytes| Frame::data(bytes));
    StreamBody::new(frames).boxed()
}

async fn list(client: &Client) -> anyhow::Result<()> {
    let response = client.own("GET", "images", crate::client::empty()).await?;
    let images: Vec<serde_json::Value> = serde_json::from_slice(&response.into_body().collect().await?.to_bytes())?;
    for image in images {
        say(format_args!("{}  {}", image["digest"].as_str().unwrap_or("?"), image["name"].as_str().unwrap_or("?")));
    }
    Ok(())
}
