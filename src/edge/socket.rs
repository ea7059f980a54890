//! A caller's socket, whose first bytes can be looked at before they are read.
//!
//! What was looked at is read again by whatever comes next, be it HTTP or TLS.

use bytes::{Buf, BytesMut};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A caller's socket.
#[derive(Debug)]
pub(super) struct Socket {
    stream: Kind,
    /// What was looked at and is not yet read.
    ahead: BytesMut,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        Self { stream: Kind::Tcp(stream), ahead: BytesMut::new() }
    }
}

#[cfg(unix)]
impl From<UnixStream> for Socket {
    fn from(stream: UnixStream) -> Self {
        Self { stream: Kind::Unix(stream), ahead: BytesMut::new() }
    }
}

macro_rules! each {
    ($kind:expr, $poll:ident($($argument:expr),*)) => {
        match $kind {
            Kind::Tcp(stream) => Pin::new(stream).$poll($($argument),*),
            #[cfg(unix)]
            Kind::Unix(stream) => Pin::new(stream).$poll($($argument),*),
        }
    };
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
        let bytes = match &mut self.stream {
            Kind::Tcp(stream) => stream.take(room as u64).read_buf(&mut self.ahead).await?,
            #[cfg(unix)]
            Kind::Unix(stream) => stream.take(room as u64).read_buf(&mut self.ahead).await?,
        };
        Ok(bytes > 0)
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
            return each!(&mut self.stream, poll_read(context, read));
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
        each!(&mut self.stream, poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(&mut self.stream, poll_write_vectored(context, parts))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Kind::Tcp(stream) => stream.is_write_vectored(),
            #[cfg(unix)]
            Kind::Unix(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&mut self.stream, poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&mut self.stream, poll_shutdown(context))
    }
}
