//! One port for everything: the AWS APIs, and Slipway's own endpoints under `/_slipway/` for its command line. Accepts,
//! bounds and dispatches; knows no operation.

mod aws;
mod body;
mod own;
mod pulls;

use crate::compose::Server;
use body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A caller that opens a connection and does not finish its request head holds it no longer than this.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves until `stop` changes; requests under way are finished.
pub async fn serve(listener: TcpListener, server: Arc<Server>, mut stop: watch::Receiver<bool>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                // An answer is one small write; waiting to fill a segment would cost tens of milliseconds.
                let _ = stream.set_nodelay(true);
                tokio::spawn(connection(TokioIo::new(stream), Arc::clone(&server), stop.clone()));
            }
            // Out of file descriptors, mostly: those who are connected go on.
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(io: TokioIo<tokio::net::TcpStream>, server: Arc<Server>, mut stop: watch::Receiver<bool>) {
    let service = service_fn(move |request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(answer(&server, request).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    let connection = builder.serve_connection(io, service);
    tokio::pin!(connection);
    tokio::select! {
        // A caller that breaks the protocol or hangs up is its own affair.
        _ = connection.as_mut() => return,
        _ = stop.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn answer(server: &Arc<Server>, request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path();
    match path.strip_prefix("/_slipway/") {
        Some(rest) => {
            let rest = rest.to_owned();
            own::answer(server, &rest, request).await
        }
        None if path == "/moto-api/reset" && server.config.enable_reset => own::reset(server).await,
        None => aws::answer(server, request).await,
    }
}

fn plain(status: StatusCode, text: impl Into<String>) -> Response<Body> {
    let mut response = Response::new(body::full(text.into()));
    *response.status_mut() = status;
    response
}
