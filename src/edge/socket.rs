//! A caller's socket, whose first bytes can be looked at before they are read.
//!
//! What was looked at is read again by whatever comes next, be it HTTP or TLS.

use bytes::{Buf, BytesMut};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A caller's socket.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    /// What was looked at and is not yet read.
    ahead: BytesMut,
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        Self { stream, ahead: BytesMut::new() }
    }
}

impl Socket {
    /// Returns what was looked at.
    pub(super) fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    /// Waits for more bytes to look at, of which there are `most` then at most. Returns whether
    /// some came: none do after the end, nor where `most` are there.
    pub(super) async fn look_ahead(&mut self, most: usize) -> io::Result<bool> {
        let room = most.saturating_sub(self.ahead.len());
        self.ahead.reserve(room);
        let mut some = (&mut self.stream).take(room as u64);
        Ok(some.read_buf(&mut self.ahead).await? > 0)
    }

    /// Reads past `bytes` of what was looked at.
    pub(super) fn pass(&mut self, bytes: usize) {
        self.ahead.advance(bytes.min(self.ahead.len()));
        if self.ahead.is_empty() {
            self.ahead = BytesMut::new();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        read: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, read);
        }
        let bytes = self.ahead.len().min(read.remaining());
        read.put_slice(&self.ahead[..bytes]);
        self.pass(bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
