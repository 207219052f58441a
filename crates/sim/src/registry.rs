//! The image registry that nodes pull from: one image, under a tag that is moved.

/// What its only tag means now.
#[derive(Default)]
pub struct Registry {
    pushed: u64,
}

impl Registry {
    pub fn push(&mut self) {
        self.pushed += 1;
    }

    /// A reference that names a digest means the same for ever.
    pub fn digest(&self, reference: &str) -> String {
        let named = reference.split_once('@').map(|(_, digest)| digest.to_owned());
        named.unwrap_or_else(|| format!("sha256:{:064x}", self.pushed))
    }
}
