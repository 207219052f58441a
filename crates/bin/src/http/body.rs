//! Bodies in and out: bounded when read whole, streamed when they last.

use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use kernel::service::EventStream;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long a refused body is read on.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(30);

pub type Body = UnsyncBoxBody<Bytes, Infallible>;

pub enum ReadError {
    TooLarge,
    /// The caller went away or broke the framing.
    Broken,
}

pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}

/// What is sent becomes the body as it comes; it ends when every sender is gone.
pub fn streamed() -> (mpsc::Sender<Bytes>, Body) {
    let (sender, mut receiver) = mpsc::channel::<Bytes>(64);
    let frames = futures_util::stream::poll_fn(move |context| {
        receiver.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    });
    (sender, StreamBody::new(frames).boxed_unsync())
}

pub fn events(events: EventStream) -> Body {
    StreamBody::new(events.map(|bytes| Ok(Frame::data(bytes)))).boxed_unsync()
}

pub async fn read(mut body: Incoming, limit: usize) -> Result<Bytes, ReadError> {
    match Limited::new(&mut body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            discard(body).await;
            Err(ReadError::TooLarge)
        }
        Err(_) => Err(ReadError::Broken),
    }
}

/// Reads what nobody wants. A caller that still sends while its connection is closed never sees why it was refused.
pub async fn discard(mut body: Incoming) {
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    // Whoever sends that long may as well find out by the connection.
    let _ = tokio::time::timeout(DISCARD_TIMEOUT, rest).await;
}
