//! Response bodies: complete, sent byte by byte, or cut off.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// The body of a response.
pub(super) enum Body {
    /// Sent at once. `None` if it is empty or already sent.
    Whole(Option<Bytes>),
    /// One byte at a time.
    Drip { rest: Bytes, pace: Duration, pause: Pin<Box<Sleep>> },
    /// The first part of a body, after which the connection breaks.
    Truncated { part: Option<Bytes>, pause: Option<Pin<Box<Sleep>>> },
}

/// How long a cut body waits before it breaks the connection. Without the pause, the first part would never leave the
/// buffer.
const FLUSH: Duration = Duration::from_millis(5);

impl Body {
    pub(super) fn empty() -> Body {
        Body::Whole(None)
    }

    pub(super) fn from_bytes(bytes: impl Into<Bytes>) -> Body {
        let bytes = bytes.into();
        Body::Whole((!bytes.is_empty()).then_some(bytes))
    }

    /// Turns the body into one that is sent one byte at a time, `pace` apart.
    pub(super) fn into_drip(self, pace: Duration) -> Body {
        let Body::Whole(Some(rest)) = self else { return self };
        Body::Drip { rest, pace, pause: Box::pin(sleep(pace)) }
    }

    /// The complete body; `None` if it would be cut off.
    pub(super) fn into_bytes(self) -> Option<Bytes> {
        match self {
            Body::Whole(bytes) => Some(bytes.unwrap_or_default()),
            Body::Drip { rest, .. } => Some(rest),
            Body::Truncated { .. } => None,
        }
    }

    /// The first half of the body, after which the connection breaks, and the length of the complete body.
    pub(super) fn truncate(self) -> (Body, usize) {
        let Body::Whole(Some(mut bytes)) = self else {
            return (Body::Truncated { part: None, pause: None }, 1);
        };
        let length = bytes.len();
        bytes.truncate(length / 2);
        (Body::Truncated { part: Some(bytes), pause: None }, length)
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Body::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Body::Drip { rest, .. } if rest.is_empty() => Poll::Ready(None),
            Body::Drip { rest, pace, pause } => {
                std::task::ready!(pause.as_mut().poll(cx));
                *pause = Box::pin(sleep(*pace));
                Poll::Ready(Some(Ok(Frame::data(rest.split_to(1)))))
            }
            Body::Truncated { part, pause } => {
                if let Some(part) = part.take() {
                    return Poll::Ready(Some(Ok(Frame::data(part))));
                }
                std::task::ready!(pause.get_or_insert_with(|| Box::pin(sleep(FLUSH))).as_mut().poll(cx));
                Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Whole(bytes) => bytes.is_none(),
            Body::Drip { rest, .. } => rest.is_empty(),
            Body::Truncated { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Body::Drip { rest, .. } => SizeHint::with_exact(rest.len() as u64),
            // Unknown, so that hyper keeps the announced `Content-Length`, although it is wrong.
            Body::Truncated { .. } => SizeHint::default(),
        }
    }
}
