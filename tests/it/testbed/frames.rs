//! HTTP/2 frame by frame: no client library tidies up what is sent.

use std::{collections::VecDeque, net::SocketAddr};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// What became of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamEnd {
    /// It was answered with this status.
    Answered(u16),
    /// It was reset, or the connection was ended, with this code.
    Reset(u32),
    /// The connection was closed without a word.
    Closed,
}

/// One end of an HTTP/2 connection.
pub(crate) struct Frames<S = TcpStream> {
    stream: S,
    /// Frames that came while something else was waited for.
    passed: VecDeque<Frame>,
}

struct Frame {
    kind: u8,
    flags: u8,
    id: u32,
    payload: Vec<u8>,
}

impl Frames {
    /// Connects, and says what every client says first.
    pub(crate) async fn to(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.expect("a connection")).await
    }

    /// Says over this connection what every client says first.
    pub(crate) async fn over(mut stream: TcpStream) -> Self {
        stream.write_all(PREFACE).await.expect("sent");
        let mut frames = Self { stream, passed: VecDeque::new() };
        frames.send(SETTINGS, 0, 0, &[]).await;
        frames
    }
}

/// The end of an upstream.
impl<S: AsyncRead + AsyncWrite + Unpin> Frames<S> {
    /// Reads what every client says first, and says nothing.
    pub(crate) async fn silent(mut stream: S) -> Self {
        let mut preface = [0; PREFACE.len()];
        stream.read_exact(&mut preface).await.expect("a preface");
        assert_eq!(preface, PREFACE);
        Self { stream, passed: VecDeque::new() }
    }

    /// Answers what every client says first, with these settings.
    pub(crate) async fn accepted(stream: S, settings: &[(u16, u32)]) -> Self {
        let mut frames = Self::silent(stream).await;
        frames.settings(settings).await;
        frames
    }

    /// Changes the settings.
    pub(crate) async fn settings(&mut self, settings: &[(u16, u32)]) {
        let mut payload = Vec::new();
        for (id, value) in settings {
            payload.extend_from_slice(&id.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        }
        self.send(SETTINGS, 0, 0, &payload).await;
    }

    /// Waits for the head of the next request; returns its stream, or none at the connection's end.
    pub(crate) async fn request(&mut self) -> Option<u32> {
        loop {
            let frame = self.next().await?;
            match frame.kind {
                HEADERS => return Some(frame.id),
                SETTINGS if frame.flags & ACK == 0 => self.send(SETTINGS, ACK, 0, &[]).await,
                PING if frame.flags & ACK == 0 => {
                    self.send(PING, ACK, 0, &frame.payload).await;
                }
                _ => {}
            }
        }
    }

    /// Waits until upstream's peer resets this stream; returns the code, or none if the
    /// connection ends before.
    pub(crate) async fn reset_of(&mut self, stream: u32) -> Option<u32> {
        loop {
            let frame = self.next().await?;
            if frame.kind == RST_STREAM && frame.id == stream {
                return Some(number(&frame.payload));
            }
        }
    }

    /// Waits for the whole content of a request.
    pub(crate) async fn content_of(&mut self, stream: u32) -> Vec<u8> {
        let mut content = Vec::new();
        while let Some(frame) = self.next().await {
            if frame.kind == DATA && frame.id == stream {
                content.extend_from_slice(&frame.payload);
                if frame.flags & END_STREAM != 0 {
                    return content;
                }
            }
        }
        panic!("the connection ended within the content: {content:?}");
    }

    /// Says that no stream after `last` was processed, and that the connection ends.
    pub(crate) async fn go_away(&mut self, last: u32, code: u32) {
        let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
        self.send(GOAWAY, 0, 0, &payload).await;
    }

    /// Waits for the end of the connection.
    pub(crate) async fn closed(&mut self) {
        while self.next().await.is_some() {}
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Frames<S> {
    /// Sends a head; its fields are literals, never indexed.
    pub(crate) async fn head(&mut self, id: u32, fields: &[(&str, &str)], ends: bool) {
        let flags = END_HEADERS | if ends { END_STREAM } else { 0 };
        self.send(HEADERS, flags, id, &literals(fields)).await;
    }

    /// Sends a part of a body.
    pub(crate) async fn data(&mut self, id: u32, content: &[u8], ends: bool) {
        self.send(DATA, if ends { END_STREAM } else { 0 }, id, content).await;
    }

    /// Ends a stream with an error code.
    pub(crate) async fn reset(&mut self, id: u32, code: u32) {
        self.send(RST_STREAM, 0, id, &code.to_be_bytes()).await;
    }

    /// Goes to and fro until all that was sent has had its effect, as far as it can have one.
    pub(crate) async fn settle(&mut self) {
        for _ in 0..50 {
            self.send(PING, 0, 0, &[0; 8]).await;
            while let Some(frame) = self.read().await {
                if frame.kind == PING && frame.flags & ACK != 0 {
                    break;
                }
                self.passed.push_back(frame);
            }
        }
    }

    /// Waits for what becomes of a stream.
    pub(crate) async fn end_of(&mut self, stream: u32) -> StreamEnd {
        while let Some(Frame { kind, flags, id, payload }) = self.next().await {
            match kind {
                HEADERS if id == stream => return StreamEnd::Answered(status_in(&payload)),
                RST_STREAM if id == stream => return StreamEnd::Reset(number(&payload)),
                GOAWAY => return StreamEnd::Reset(number(&payload[4..])),
                SETTINGS if flags & ACK == 0 => self.send(SETTINGS, ACK, 0, &[]).await,
                _ => {}
            }
        }
        StreamEnd::Closed
    }

    async fn next(&mut self) -> Option<Frame> {
        match self.passed.pop_front() {
            None => self.read().await,
            passed => passed,
        }
    }

    async fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await.ok()?;
        let id = number(&head[5..]) & 0x7fff_ffff;
        Some(Frame { kind: head[3], flags: head[4], id, payload })
    }

    async fn send(&mut self, kind: u8, flags: u8, id: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend_from_slice(&id.to_be_bytes());
        frame.extend_from_slice(payload);
        // The other end may have closed already; `end_of` tells how.
        let _ = self.stream.write_all(&frame).await;
    }
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().expect("four bytes"))
}

/// Writes fields as literals without indexing and without Huffman coding (RFC 7541 section 6.2.3).
fn literals(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0x10);
        for text in [name, value] {
            let length = u8::try_from(text.len()).ok().filter(|length| *length < 127);
            block.push(length.expect("a short text"));
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// Reads the status, which is the first field of an answer: indexed, or a literal under the static
/// table's name 8, mostly in Huffman coding (RFC 7541 sections 5.2, 6 and appendix B).
fn status_in(block: &[u8]) -> u16 {
    let at = block.iter().position(|byte| byte & 0xe0 != 0x20).expect("a field");
    let (first, rest) = (block[at], &block[at + 1..]);
    if first & 0x80 != 0 {
        return [200, 204, 206, 304, 400, 404, 500][usize::from(first & 0x7f) - 8];
    }
    let (length, coded) = (usize::from(rest[0] & 0x7f), rest[0] & 0x80 != 0);
    let value = &rest[1..=length];
    if !coded {
        return std::str::from_utf8(value).expect("a number").parse().expect("a number");
    }
    let bits: Vec<u16> = value
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |at| u16::from(byte >> at & 1)))
        .collect();
    let (mut status, mut at) = (0, 0);
    for _ in 0..3 {
        let take = |n: usize| bits[at..at + n].iter().fold(0, |code, bit| code << 1 | bit);
        // 0, 1 and 2 have five bits; the other digits have six, from 25 on.
        let (digit, n) = if take(5) < 3 { (take(5), 5) } else { (take(6) - 25 + 3, 6) };
        status = status * 10 + digit;
        at += n;
    }
    status
}
