//! A registry on loopback that does as it is told: bearer or basic authorisation, ranges or none, connections that break,
//! answers that wait. It keeps every request.

use super::archive::{Built, Files, Packing, index, put};
use base64::Engine;
use image::Digest;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, PartialEq)]
pub enum Access {
    Open,
    Basic,
    Bearer,
}

pub const USER: (&str, &str) = ("someone", "s3cret");
const TOKEN: &str = "token-of-someone";

#[derive(Clone)]
pub struct Registry {
    pub host: String,
    shared: Arc<Shared>,
}

struct Shared {
    access: Access,
    state: Mutex<State>,
    gate: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    /// By path, such as `/v2/app/manifests/v1`; with the media type.
    content: BTreeMap<String, (String, Vec<u8>)>,
    requests: Vec<String>,
    refused: usize,
    /// What tokens begin with: those granted before it changed are good no more.
    generation: usize,
    /// How many bytes of the body to send before the connection breaks, for answers to come of paths with this in them.
    breaks: Vec<(String, usize)>,
    /// Statuses of answers to come, for paths with this in them.
    fails: Vec<(String, u16)>,
    no_ranges: bool,
}

impl Registry {
    pub async fn start(access: Access) -> Registry {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared { access, state: Mutex::default(), gate: watch::Sender::new(true) });
        let registry = Registry { host, shared };
        let serving = registry.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.serve(connection).await });
            }
        });
        registry
    }

    /// The name to pull by.
    pub fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.host)
    }

    pub fn push(&self, repository: &str, tag: &str, image: &Built, packing: Packing) -> String {
        let (files, manifest) = image.blobs(packing);
        self.publish(repository, tag, &files, &manifest)
    }

    /// A manifest list over images for several machines.
    pub fn push_list(&self, repository: &str, tag: &str, images: &[Built]) -> String {
        let (mut files, mut manifests) = (Files::new(), Vec::new());
        for image in images {
            let (more, manifest) = image.blobs(Packing::Gzip);
            files.extend(more);
            self.publish(repository, "unused", &files, &manifest);
            manifests.push(manifest);
        }
        let list = put(&mut files, "application/vnd.oci.image.index.v1+json", index(&manifests));
        self.publish(repository, tag, &files, &list)
    }

    fn publish(&self, repository: &str, tag: &str, files: &Files, manifest: &Value) -> String {
        let digest = manifest["digest"].as_str().unwrap().to_owned();
        let media_type = manifest["mediaType"].as_str().unwrap().to_owned();
        let mut state = self.shared.state.lock().unwrap();
        for (path, bytes) in files {
            let blob = Digest::of(bytes);
            assert!(path.ends_with(blob.hex()));
            let octets = "application/octet-stream".to_owned();
            state.content.insert(format!("/v2/{repository}/blobs/{blob}"), (octets, bytes.clone()));
        }
        let bytes = files[&format!("blobs/sha256/{}", &digest[7..])].clone();
        for name in [tag, &digest] {
            state.content.insert(format!("/v2/{repository}/manifests/{name}"), (media_type.clone(), bytes.clone()));
        }
        digest
    }

    pub fn put(&self, path: &str, media_type: &str, bytes: &[u8]) {
        self.shared.state.lock().unwrap().content.insert(path.to_owned(), (media_type.to_owned(), bytes.to_vec()));
    }

    /// The next answer about `what` breaks off after so many bytes; each call one more answer.
    pub fn break_after(&self, what: &str, bytes: usize) {
        self.shared.state.lock().unwrap().breaks.push((what.to_owned(), bytes));
    }

    pub fn fail_with(&self, what: &str, status: u16) {
        self.shared.state.lock().unwrap().fails.push((what.to_owned(), status));
    }

    pub fn no_ranges(&self) {
        self.shared.state.lock().unwrap().no_ranges = true;
    }

    /// Answers about blobs wait until `open`.
    pub fn close_gate(&self) {
        self.shared.gate.send_replace(false);
    }

    pub fn open_gate(&self) {
        self.shared.gate.send_replace(true);
    }

    /// Requests about `what` by those who may, with the range if there was one.
    pub fn requests(&self, what: &str) -> Vec<String> {
        self.shared.state.lock().unwrap().requests.iter().filter(|request| request.contains(what)).cloned().collect()
    }

    /// How often somebody had no right to ask.
    pub fn refused(&self) -> usize {
        self.shared.state.lock().unwrap().refused
    }

    /// Tokens are good no more.
    pub fn revoke(&self) {
        self.shared.state.lock().unwrap().generation += 1;
    }

    fn token(&self) -> String {
        format!("{}-{TOKEN}", self.shared.state.lock().unwrap().generation)
    }

    async fn serve(&self, mut connection: TcpStream) {
        while let Some(head) = read_head(&mut connection).await {
            if self.answer(&mut connection, &head).await.is_none() {
                return;
            }
        }
    }

    /// `None`: the connection is of no more use.
    async fn answer(&self, connection: &mut TcpStream, head: &str) -> Option<()> {
        let path = head.split(' ').nth(1)?.to_owned();
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let range = header("range: bytes=").map(str::to_owned);
        if path.starts_with("/token") {
            let right = header("authorization: ").is_none_or(|value| value == basic());
            let (status, text) =
                if right { (200, format!(r#"{{"token":"{}"}}"#, self.token())) } else { (401, "wrong password".to_owned()) };
            return respond(connection, status, "", text.as_bytes(), None).await;
        }
        if !self.may(header("authorization: ")) {
            self.shared.state.lock().unwrap().refused += 1;
            return respond(connection, 401, &self.challenge(), b"{}", None).await;
        }
        let note = range.as_ref().map_or_else(String::new, |range| format!(" {range}"));
        self.shared.state.lock().unwrap().requests.push(format!("{path}{note}"));
        if path.contains("/blobs/") {
            self.shared.gate.subscribe().wait_for(|open| *open).await.ok()?;
        }
        let (failure, breaks, found, no_ranges) = {
            let mut state = self.shared.state.lock().unwrap();
            let failure = state.fails.iter().position(|(what, _)| path.contains(what)).map(|at| state.fails.remove(at).1);
            let breaks = state.breaks.iter().position(|(what, _)| failure.is_none() && path.contains(what));
            let breaks = breaks.map(|at| state.breaks.remove(at).1);
            (failure, breaks, state.content.get(&path).cloned(), state.no_ranges)
        };
        if let Some(status) = failure {
            return respond(
                connection,
                status,
                "",
                br#"{"errors":[{"code":"TOOMANYREQUESTS","message":"Too Many Requests."}]}"#,
                None,
            )
            .await;
        }
        let Some((media_type, bytes)) = found else {
            let unknown = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
            return respond(connection, 404, "", unknown, None).await;
        };
        let headers = format!("content-type: {media_type}\r\n");
        match range.filter(|_| !no_ranges).and_then(|range| range.trim_end_matches('-').parse::<usize>().ok()) {
            Some(from) => {
                let headers = format!("{headers}content-range: bytes {from}-{}/{}\r\n", bytes.len() - 1, bytes.len());
                respond(connection, 206, &headers, &bytes[from..], breaks).await
            }
            None => respond(connection, 200, &headers, &bytes, breaks).await,
        }
    }

    fn may(&self, authorization: Option<&str>) -> bool {
        match self.shared.access {
            Access::Open => true,
            Access::Basic => authorization == Some(&basic()),
            Access::Bearer => authorization == Some(&format!("Bearer {}", self.token())),
        }
    }

    fn challenge(&self) -> String {
        match self.shared.access {
            Access::Bearer => format!("www-authenticate: Bearer realm=\"http://{}/token\",service=\"test\"\r\n", self.host),
            _ => "www-authenticate: Basic realm=\"test\"\r\n".to_owned(),
        }
    }
}

fn basic() -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", USER.0, USER.1)))
}

async fn read_head(connection: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

async fn respond(connection: &mut TcpStream, status: u16, headers: &str, body: &[u8], breaks: Option<usize>) -> Option<()> {
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    connection.write_all(head.as_bytes()).await.ok()?;
    connection.write_all(&body[..breaks.unwrap_or(body.len()).min(body.len())]).await.ok()?;
    breaks.is_none().then_some(())
}
