//! This host's images as the agent and the command line see them, with one more that is always there: the hello example,
//! which is this very program.

use crate::config::Config;
use anyhow::Context;
use async_trait::async_trait;
use image::{Content, Event, Progress, StaticFile, Store};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use tokio::sync::{OnceCell, broadcast};
use workload::{Image, RegistryAuth};

const HELLO: &str = "slipway/hello";

/// Pulls say a line now and then; who falls further behind than this misses some.
const LINES_KEPT: usize = 256;

pub struct Images {
    store: Store,
    hello: OnceCell<Image>,
    pulls: broadcast::Sender<Pulling>,
}

/// How far a pull is, in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pulling {
    pub image: String,
    pub text: String,
}

impl Images {
    pub fn open(config: &Config) -> anyhow::Result<Images> {
        let root = config.data_dir.join("images");
        let context = format!("images in {}", root.display());
        let (store, pulls) = (Store::open(root, settings(config)).context(context)?, broadcast::channel(LINES_KEPT).0);
        Ok(Images { store, hello: OnceCell::new(), pulls })
    }

    /// What all pulls say, from now on.
    pub fn pulls(&self) -> broadcast::Receiver<Pulling> {
        self.pulls.subscribe()
    }

    fn progress(&self, image: &str) -> Progress {
        let (image, pulls, last) = (image.to_owned(), self.pulls.clone(), Mutex::new(String::new()));
        Progress::to(move |event| {
            let text = said(event);
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            if *last != text {
                last.clone_from(&text);
                // Nobody listening is the usual case.
                let _ = pulls.send(Pulling { image: image.clone(), text });
            }
        })
    }

    pub async fn load(&self, file: &Path) -> anyhow::Result<Vec<Value>> {
        let loaded = self.store.load(file).await?;
        Ok(loaded.iter().map(|image| json!({ "names": image.names, "digest": image.digest.to_string() })).collect())
    }

    pub async fn list(&self) -> anyhow::Result<Vec<Value>> {
        let listed = self.store.list().await?;
        Ok(listed.iter().map(|image| json!({ "name": image.name, "digest": image.digest.to_string() })).collect())
    }

    /// Made when it is first asked for: most servers never are.
    async fn hello(&self) -> Result<Image, String> {
        let program = StaticFile { path: "slipway".into(), mode: 0o755, content: Content::File("/proc/self/exe".into()) };
        let how = Image {
            entry_point: vec!["/slipway".into(), "hello".into()],
            working_directory: "/".into(),
            environment: vec!["PATH=/".into()],
            ..Image::default()
        };
        let made = self.hello.get_or_try_init(|| self.store.add_static(HELLO, vec![program], &how)).await;
        made.cloned().map_err(|error| error.to_string())
    }
}

#[async_trait]
impl agent::Images for Images {
    async fn ensure(&self, reference: &str, auth: Option<RegistryAuth>) -> Result<Image, String> {
        if reference == HELLO {
            return self.hello().await;
        }
        self.store.ensure(reference, auth, self.progress(reference)).await.map_err(|error| error.to_string())
    }
}

pub fn settings(config: &Config) -> image::Config {
    image::Config {
        default_registry: config.registries.default.clone(),
        insecure_registries: config.registries.insecure.iter().cloned().collect(),
        ..image::Config::default()
    }
}

/// Tenths of a layer, so that a line is worth printing.
fn said(event: &Event) -> String {
    match event {
        Event::Resolving => "resolving".into(),
        Event::Downloading { layer, layers, done, total } => {
            let percent = (done * 10).checked_div(*total).unwrap_or(10) * 10;
            format!("layer {} of {layers}: {percent} % of {:.1} MB", layer + 1, *total as f64 / 1e6)
        }
        Event::Unpacking { layer, layers } => format!("layer {} of {layers}: unpacking", layer + 1),
        Event::Present { layer, layers } => format!("layer {} of {layers}: present", layer + 1),
        Event::Retrying { reason } => format!("trying again: {reason}"),
    }
}
