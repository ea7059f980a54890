//! Watches a streamed request body on its way upstream.
//!
//! An upload may rightly take longer than upstream may take to answer. The watch tells whose turn
//! it is when nothing moves: the caller's (it has not sent the next bytes) or upstream's (it does
//! not read, or does not answer). It also holds the body back while an `Expect: 100-continue` is
//! being asked of upstream. Whole bodies need no watch and have none.

use super::BoxError;
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http_body::Frame;
use std::{
    sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::Instant;

/// Whose turn it is to move an upload on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Upstream's: to take the next bytes.
    Upstream,
    /// The caller's: to send the next bytes.
    Caller,
    /// Upstream's: everything was handed over, the answer is due.
    Done,
    /// Nobody's: the caller broke off.
    Broken,
}

/// Shared by the body, which hyper's connection polls, and the exchange, which waits for the
/// answer.
pub(crate) struct Upload {
    began: Instant,
    /// Milliseconds after `began` at which the upload last moved.
    moved: AtomicU64,
    turn: AtomicU8,
    held: AtomicBool,
    waker: AtomicWaker,
}

impl Upload {
    /// A watch over a body; `held` until `release`.
    pub(crate) fn new(held: bool) -> Self {
        Upload {
            began: Instant::now(),
            moved: AtomicU64::new(0),
            turn: AtomicU8::new(Turn::Upstream as u8),
            held: AtomicBool::new(held),
            waker: AtomicWaker::new(),
        }
    }

    /// Lets a held body go.
    pub(crate) fn release(&self) {
        if self.held.swap(false, Ordering::AcqRel) {
            self.moved_now();
            self.waker.wake();
        }
    }

    /// True while the body waits for upstream's 100.
    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Ordering::Acquire)
    }

    /// Ready as soon as the body may be polled, which is what makes hyper answer the caller's
    /// `Expect: 100-continue`.
    pub(crate) fn poll_wanted(&self, context: &mut Context<'_>) -> Poll<()> {
        if !self.is_held() {
            return Poll::Ready(());
        }
        self.waker.register(context.waker());
        if self.is_held() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Takes note of what a poll of the body brought.
    pub(crate) fn note(&self, polled: &Poll<Option<Result<Frame<Bytes>, BoxError>>>, ended: bool) {
        let turn = match polled {
            Poll::Pending => Turn::Caller,
            Poll::Ready(None) => Turn::Done,
            Poll::Ready(Some(Err(_))) => Turn::Broken,
            Poll::Ready(Some(Ok(_))) if ended => Turn::Done,
            Poll::Ready(Some(Ok(_))) => Turn::Upstream,
        };
        if polled.is_ready() {
            self.moved_now();
        }
        self.turn.store(turn as u8, Ordering::Release);
    }

    /// Whose turn it is.
    pub(crate) fn turn(&self) -> Turn {
        match self.turn.load(Ordering::Acquire) {
            turn if turn == Turn::Upstream as u8 => Turn::Upstream,
            turn if turn == Turn::Caller as u8 => Turn::Caller,
            turn if turn == Turn::Done as u8 => Turn::Done,
            _ => Turn::Broken,
        }
    }

    /// When the upload last moved.
    pub(crate) fn moved(&self) -> Instant {
        self.began + Duration::from_millis(self.moved.load(Ordering::Acquire))
    }

    fn moved_now(&self) {
        let since = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(since, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_poll_says_whose_turn_it_is() {
        let frame = || Poll::Ready(Some(Ok(Frame::data(Bytes::from("a")))));
        let cases = [
            (Poll::Pending, false, Turn::Caller),
            (frame(), false, Turn::Upstream),
            (frame(), true, Turn::Done),
            (Poll::Ready(None), true, Turn::Done),
            (Poll::Ready(Some(Err("gone".into()))), false, Turn::Broken),
        ];
        for (polled, ended, turn) in cases {
            let upload = Upload::new(false);
            upload.note(&polled, ended);
            assert_eq!(upload.turn(), turn);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_caller_does_not_count_as_movement() {
        let upload = Upload::new(false);
        let began = upload.moved();
        tokio::time::advance(Duration::from_secs(2)).await;
        upload.note(&Poll::Pending, false);
        assert_eq!(upload.moved(), began);
        upload.note(&Poll::Ready(None), true);
        assert_eq!(upload.moved(), began + Duration::from_secs(2));
    }

    #[tokio::test]
    async fn a_held_body_waits_for_its_release() {
        let upload = std::sync::Arc::new(Upload::new(true));
        let waiting = tokio::spawn({
            let upload = upload.clone();
            async move { std::future::poll_fn(|context| upload.poll_wanted(context)).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        upload.release();
        waiting.await.unwrap();
    }
}
