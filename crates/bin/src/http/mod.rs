//! One port for everything: the AWS APIs, and Slipway's own endpoints under `/_slipway/` for its command line. Accepts,
//! bounds and dispatches; knows no operation.

mod aws;
pub mod body;
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
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A caller that opens a connection and does not finish its request head holds it no longer than this.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves until `stop` changes; requests under way are finished.
pub async fn serve(listener: TcpListener, server: Arc<Server>, stop: watch::Receiver<bool>) {
    let answer = move |_, request| {
        let server = Arc::clone(&server);
        async move { answer(&server, request).await }
    };
    listen(listener, answer, stop).await;
}

/// Whatever is to be answered, by whom it is asked.
pub async fn listen<A, F>(listener: TcpListener, answer: A, mut stop: watch::Receiver<bool>)
where
    A: Fn(SocketAddr, Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                // An answer is one small write; waiting to fill a segment would cost tens of milliseconds.
                let _ = stream.set_nodelay(true);
                let answer = answer.clone();
                tokio::spawn(connection(TokioIo::new(stream), move |request| answer(peer, request), stop.clone()));
            }
            // Out of file descriptors, mostly: those who are connected go on.
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection<A, F>(io: TokioIo<tokio::net::TcpStream>, answer: A, mut stop: watch::Receiver<bool>)
where
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let service = service_fn(move |request| {
        let answered = answer(request);
        async move { Ok::<_, Infallible>(answered.await) }
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

pub fn plain(status: StatusCode, text: impl Into<String>) -> Response<Body> {
    let mut response = Response::new(body::full(text.into()));
    *response.status_mut() = status;
    response
}
