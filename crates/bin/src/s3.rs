//! Objects of S3, of which this server keeps none: they are read from a directory (`DIR/bucket/key`) or asked for at an endpoint
//! (`URL/bucket/key`, unsigned), whichever `--s3` names.

use anyhow::Context;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// A task that starts waits for this.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Environment files and configurations of log routers are small.
const MOST_BYTES: usize = 8 * 1024 * 1024;
const MISSING: &str = "NoSuchKey: The specified key does not exist.";

#[derive(Clone, Default)]
pub enum S3 {
    #[default]
    Nowhere,
    Directory(PathBuf),
    Endpoint {
        url: String,
        http: reqwest::Client,
    },
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("it is not the ARN of an object")]
    NoObject,
    #[error("this server has no S3: start it with --s3 and a directory or a URL")]
    Nowhere,
    #[error("{MISSING}")]
    Missing,
    #[error("{0}")]
    Failed(String),
}

impl S3 {
    pub fn new(place: Option<&str>, images: &image::Config) -> anyhow::Result<S3> {
        let Some(place) = place else { return Ok(S3::Nowhere) };
        let Some((scheme, rest)) = place.split_once("://") else { return Ok(S3::Directory(place.into())) };
        anyhow::ensure!(matches!(scheme, "http" | "https"), "--s3 {place} is neither a directory nor an HTTP URL");
        let host = rest.split('/').next().unwrap_or_default();
        let http = image::http_client(images, host).context("S3")?;
        Ok(S3::Endpoint { url: place.trim_end_matches('/').to_owned(), http })
    }

    pub async fn get(&self, arn: &str) -> Result<Vec<u8>, Error> {
        let (bucket, key) = object(arn).ok_or(Error::NoObject)?;
        match self {
            S3::Nowhere => Err(Error::Nowhere),
            S3::Directory(directory) => read(&directory.join(bucket).join(key)).await,
            S3::Endpoint { url, http } => ask(http, &format!("{url}/{bucket}/{}", encoded(key))).await,
        }
    }
}

/// Bucket and key, of which neither leads out of its directory.
fn object(arn: &str) -> Option<(&str, &str)> {
    let resource = arn.strip_prefix("arn:")?.split_once(":s3:::")?.1;
    let (bucket, key) = resource.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())?;
    let plain = |path: &str| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    (plain(bucket) && plain(key)).then_some((bucket, key))
}

async fn read(path: &Path) -> Result<Vec<u8>, Error> {
    match tokio::fs::read(path).await {
        Ok(bytes) if bytes.len() > MOST_BYTES => Err(too_large()),
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::Missing),
        Err(error) => Err(Error::Failed(format!("{}: {error}", path.display()))),
    }
}

async fn ask(http: &reqwest::Client, url: &str) -> Result<Vec<u8>, Error> {
    let failed = |error: reqwest::Error| Error::Failed(error.to_string());
    let mut answer = http.get(url).timeout(TIMEOUT).send().await.map_err(failed)?;
    match answer.status().as_u16() {
        200 => {}
        404 => return Err(Error::Missing),
        _ => return Err(Error::Failed(format!("{url} answers {}", answer.status()))),
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MOST_BYTES {
            return Err(too_large());
        }
    }
    Ok(bytes)
}

fn too_large() -> Error {
    Error::Failed(format!("it is larger than {MOST_BYTES} bytes"))
}

fn encoded(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    key.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_object_is_a_file_below_its_bucket_and_nothing_else_is() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("b/dir")).unwrap();
        std::fs::write(directory.path().join("b/dir/a.env"), "A=1").unwrap();
        std::fs::write(directory.path().join("secret"), "").unwrap();
        let s3 = S3::Directory(directory.path().to_owned());
        assert_eq!(s3.get("arn:aws:s3:::b/dir/a.env").await, Ok(b"A=1".to_vec()));
        assert_eq!(s3.get("arn:aws:s3:::b/none.env").await, Err(Error::Missing));
        for arn in
            ["arn:aws:s3:::b/../secret", "arn:aws:s3:::../secret", "arn:aws:s3:::b", "arn:aws:s3:::b//etc/passwd", "b/dir/a.env"]
        {
            assert_eq!(s3.get(arn).await, Err(Error::NoObject), "{arn}");
        }
        assert_eq!(S3::Nowhere.get("arn:aws:s3:::b/dir/a.env").await, Err(Error::Nowhere));
    }

    #[test]
    fn keys_are_encoded_for_a_url() {
        assert_eq!(encoded("a b/ü?.env"), "a%20b/%C3%BC%3F.env");
    }
}
