//! A connection that can be reset: it is closed so that the peer gets a TCP RST instead of an orderly end.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Whether a connection is to be reset. Shared between the connection and the code that answers on it.
#[derive(Debug, Default)]
pub(super) struct ResetFlag(AtomicBool);

impl ResetFlag {
    /// From now on, the connection carries no more data and ends with an RST.
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A TCP stream that honours its [`ResetFlag`].
pub(super) struct ResettableStream {
    stream: TcpStream,
    reset_flag: Arc<ResetFlag>,
}

impl ResettableStream {
    pub(super) fn new(stream: TcpStream, reset_flag: Arc<ResetFlag>) -> ResettableStream {
        ResettableStream { stream, reset_flag }
    }

    fn stream(self: Pin<&mut Self>) -> Result<Pin<&mut TcpStream>, io::Error> {
        let wire = self.get_mut();
        if wire.reset_flag.is_set() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(Pin::new(&mut wire.stream))
    }
}

impl Drop for ResettableStream {
    fn drop(&mut self) {
        if self.reset_flag.is_set() {
            // With a linger of zero, the kernel sends an RST on close. If it refuses, the peer sees an early end, which
            // is good enough.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for ResettableStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(cx, buf)
    }
}

impl AsyncWrite for ResettableStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(cx, data)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.stream() {
            Ok(stream) => stream.poll_shutdown(cx),
            // An orderly shutdown first would prevent the reset.
            Err(_) => Poll::Ready(Ok(())),
        }
    }
}
