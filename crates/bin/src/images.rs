//! This host's images as the agent and the command line see them, with one more that is always there: the hello example,
//! which is this very program.

use crate::config::Config;
use anyhow::Context;
use async_trait::async_trait;
use image::{Content, Progress, StaticFile, Store};
use serde_json::{Value, json};
use std::path::Path;
use tokio::sync::OnceCell;
use workload::{Image, RegistryAuth};

const HELLO: &str = "slipway/hello";

pub struct Images {
    store: Store,
    hello: OnceCell<Image>,
}

impl Images {
    pub fn open(config: &Config) -> anyhow::Result<Images> {
        let root = config.data_dir.join("images");
        let context = format!("images in {}", root.display());
        let settings = image::Config {
            default_registry: config.registries.default.clone(),
            insecure_registries: config.registries.insecure.iter().cloned().collect(),
            ..image::Config::default()
        };
        Ok(Images { store: Store::open(root, settings).context(context)?, hello: OnceCell::new() })
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
        self.store.ensure(reference, auth, Progress::none()).await.map_err(|error| error.to_string())
    }
}
