//! What is between the plane and a node of this process, and waiting for what the plane makes of it.

use kernel::Plane;
use link::{PlaneEnd, ToNode, ToPlane};
use std::sync::Arc;
use store::{Change, Image};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// What the node says becomes work of the writer; what the writer assigns is sent without waiting.
pub async fn listen(plane: Plane, end: PlaneEnd) {
    let mut node = None;
    while let Some(message) = end.recv().await {
        match (message, &node) {
            (ToPlane::Hello(facts), _) => {
                node = Some(facts.id.clone());
                let sender = end.sender();
                plane.joined(facts, Box::new(move |assign| sender.send(ToNode::Assign(assign))));
            }
            (ToPlane::Report(report), Some(node)) => plane.report(node.clone(), report),
            (ToPlane::Report(_), None) => tracing::warn!("a report before a hello"),
        }
    }
    if let Some(node) = node {
        plane.left(node);
    }
}

/// Rows as they change, from when it was made on.
pub struct Watch<'a> {
    plane: &'a Plane,
    feed: broadcast::Receiver<Arc<Vec<Change>>>,
}

impl Watch<'_> {
    pub fn new(plane: &Plane) -> Watch<'_> {
        Watch { plane, feed: plane.feed() }
    }

    pub async fn until(&mut self, holds: impl Fn(&Image) -> bool) -> anyhow::Result<()> {
        while !holds(&self.plane.image()) {
            // Whoever fell behind looks at the image again, which has everything.
            if matches!(self.feed.recv().await, Err(RecvError::Closed)) {
                anyhow::bail!("the plane has ended");
            }
        }
        Ok(())
    }
}
