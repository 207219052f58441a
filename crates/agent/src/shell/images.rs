//! Where images come from, as far as a node cares.

use async_trait::async_trait;
use workload::{Image, RegistryAuth};

#[async_trait]
pub trait Images: Send + Sync {
    /// The image, unpacked; from memory when it is there. The error is what follows `CannotPullContainerError: `.
    async fn ensure(&self, reference: &str, auth: Option<RegistryAuth>) -> Result<Image, String>;
}

#[async_trait]
impl Images for image::Store {
    async fn ensure(&self, reference: &str, auth: Option<RegistryAuth>) -> Result<Image, String> {
        image::Store::ensure(self, reference, auth, image::Progress::none()).await.map_err(|error| error.to_string())
    }
}
