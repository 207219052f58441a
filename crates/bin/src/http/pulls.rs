//! Pulls as the command line sees them: asked for by name, or watched as tasks cause them.

use super::body::{self, Body};
use crate::compose::Server;
use crate::images::Pulling;
use agent::Images;
use bytes::Bytes;
use hyper::Response;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc};

/// One document a line until the image is there, then one with its digest or with what went wrong.
pub fn pull(server: &Arc<Server>, image: String) -> Response<Body> {
    let (bytes, body) = body::streamed();
    let server = Arc::clone(server);
    tokio::spawn(async move {
        let said = tokio::spawn(forward(server.images.pulls(), bytes.clone(), Some(image.clone())));
        let end = match server.images.ensure(&image, None).await {
            Ok(pulled) => json!({ "digest": pulled.digest }),
            Err(error) => json!({ "error": error }),
        };
        said.abort();
        // A caller that has gone away needs no answer; the image is kept all the same.
        let _ = bytes.send(line(&end)).await;
    });
    Response::new(body)
}

/// Every pull of this host, from now on.
pub fn watch(server: &Server) -> Response<Body> {
    let (bytes, body) = body::streamed();
    tokio::spawn(forward(server.images.pulls(), bytes, None));
    Response::new(body)
}

async fn forward(mut pulls: broadcast::Receiver<Pulling>, bytes: mpsc::Sender<Bytes>, only: Option<String>) {
    loop {
        let pulling = tokio::select! {
            pulling = pulls.recv() => pulling,
            () = bytes.closed() => return,
        };
        match pulling {
            Ok(pulling) if only.as_ref().is_none_or(|image| *image == pulling.image) => {
                if bytes.send(line(&pulling)).await.is_err() {
                    return;
                }
            }
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

fn line(document: &impl serde::Serialize) -> Bytes {
    let mut text = serde_json::to_vec(document).unwrap_or_default();
    text.push(b'\n');
    text.into()
}
