//! Watches a streamed request body on its way upstream.
//!
//! An upload may take longer than upstream may take to answer. When nothing moves, the watch says
//! which side stalls: the caller (it has not sent the next bytes) or upstream (it does not read, or
//! does not answer). It also holds the body back until upstream has answered an
//! `Expect: 100-continue`. Whole bodies need no watch over HTTP/1.1. Over HTTP/2, where a
//! connection outlives its calls, the watch says when a body is gone, and can end one.

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http_body::Frame;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::Instant;
use tower::BoxError;

/// Which side the upload waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UploadState {
    /// It waits for upstream to take the next bytes.
    Upstream,
    /// It waits for the caller to send the next bytes.
    Caller,
    /// It waits for upstream to answer: everything was handed over.
    Done,
    /// It waits for neither: the caller broke off.
    Broken,
}

/// The watch over one body. The body, which hyper's connection polls, and the exchange, which waits
/// for the answer, share it.
pub(crate) struct Upload {
    began: Instant,
    /// Milliseconds after `began` at which the upload last moved.
    moved: AtomicU64,
    /// Bytes of content so far.
    bytes: AtomicU64,
    /// Milliseconds for which the caller was waited for, in waits that are over.
    waited: AtomicU64,
    /// Milliseconds after `began` at which the wait for the caller began that goes on.
    waits_since: AtomicU64,
    state: AtomicU8,
    held: AtomicBool,
    /// Whether `give_up` may come.
    revocable: bool,
    given_up: AtomicBool,
    gone: AtomicBool,
    /// Wakes who polls the body.
    waker: AtomicWaker,
    /// Wakes who waits for the body's end.
    waits: AtomicWaker,
}

/// A body's own end of the watch.
pub(super) struct Watched(pub(super) Arc<Upload>);

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.gone.store(true, Ordering::Release);
        self.0.waits.wake();
    }
}

impl Upload {
    /// Makes a watch. A `held` body is not polled until `release`.
    pub(crate) fn new(held: bool) -> Self {
        Self {
            began: Instant::now(),
            moved: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            waited: AtomicU64::new(0),
            waits_since: AtomicU64::new(0),
            state: AtomicU8::new(UploadState::Upstream as u8),
            held: AtomicBool::new(held),
            revocable: false,
            given_up: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            waits: AtomicWaker::new(),
        }
    }

    /// Makes a watch that can end the body.
    pub(crate) fn revocable() -> Self {
        Self { revocable: true, ..Self::new(false) }
    }

    /// Ends the body with an error, which resets its stream: nobody waits for its answer.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Returns true when nothing holds the body any more: it was sent, or given up.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Waits until the body is gone. One at a time may wait.
    pub(crate) async fn gone(&self) {
        std::future::poll_fn(|context| {
            self.waits.register(context.waker());
            if self.is_gone() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Ends the hold on the body.
    pub(crate) fn release(&self) {
        if self.held.swap(false, Ordering::AcqRel) {
            self.moved_now();
            self.waker.wake();
        }
    }

    /// Returns true while the body waits for upstream's 100.
    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Ordering::Acquire)
    }

    /// Waits until the body may be polled. Polling it makes hyper answer the caller's
    /// `Expect: 100-continue`. Fails once the body was given up.
    pub(crate) fn poll_released(&self, context: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        if !self.revocable && !self.is_held() {
            return Poll::Ready(Ok(()));
        }
        self.waker.register(context.waker());
        if self.given_up.load(Ordering::Acquire) {
            Poll::Ready(Err(h2::Reason::CANCEL.into()))
        } else if self.is_held() {
            Poll::Pending
        } else {
            Poll::Ready(Ok(()))
        }
    }

    /// Records the result of a poll of the body.
    pub(crate) fn note(&self, polled: &Poll<Option<Result<Frame<Bytes>, BoxError>>>, ended: bool) {
        let state = match polled {
            Poll::Pending => UploadState::Caller,
            Poll::Ready(None) => UploadState::Done,
            Poll::Ready(Some(Err(_))) => UploadState::Broken,
            Poll::Ready(Some(Ok(_))) if ended => UploadState::Done,
            Poll::Ready(Some(Ok(_))) => UploadState::Upstream,
        };
        self.count(polled);
        self.state.store(state as u8, Ordering::Release);
    }

    /// Counts the bytes and the time for which the caller was waited for. Only the body's poll
    /// calls it, so loads and stores need no exchange.
    fn count(&self, polled: &Poll<Option<Result<Frame<Bytes>, BoxError>>>) {
        let waits = self.state() == UploadState::Caller;
        let Poll::Ready(frame) = polled else {
            if !waits {
                self.waits_since.store(self.millis(), Ordering::Release);
            }
            return;
        };
        self.moved_now();
        if waits {
            let waited = self.waited.load(Ordering::Acquire) + self.this_wait();
            self.waited.store(waited, Ordering::Release);
        }
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            self.bytes.fetch_add(data.len() as u64, Ordering::AcqRel);
        }
    }

    /// Returns how many bytes have come.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Acquire)
    }

    /// Returns for how long the caller was waited for, in all.
    pub(crate) fn waited_for_caller(&self) -> Duration {
        let this = if self.state() == UploadState::Caller { self.this_wait() } else { 0 };
        Duration::from_millis(self.waited.load(Ordering::Acquire) + this)
    }

    fn this_wait(&self) -> u64 {
        self.millis().saturating_sub(self.waits_since.load(Ordering::Acquire))
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Returns which side the upload waits for.
    pub(crate) fn state(&self) -> UploadState {
        match self.state.load(Ordering::Acquire) {
            state if state == UploadState::Upstream as u8 => UploadState::Upstream,
            state if state == UploadState::Caller as u8 => UploadState::Caller,
            state if state == UploadState::Done as u8 => UploadState::Done,
            _ => UploadState::Broken,
        }
    }

    /// Returns when the upload last moved.
    pub(crate) fn last_moved(&self) -> Instant {
        self.began + Duration::from_millis(self.moved.load(Ordering::Acquire))
    }

    fn moved_now(&self) {
        self.moved.store(self.millis(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_poll_says_who_is_waited_for() {
        let frame = || Poll::Ready(Some(Ok(Frame::data(Bytes::from("a")))));
        let cases = [
            (Poll::Pending, false, UploadState::Caller),
            (frame(), false, UploadState::Upstream),
            (frame(), true, UploadState::Done),
            (Poll::Ready(None), true, UploadState::Done),
            (Poll::Ready(Some(Err("gone".into()))), false, UploadState::Broken),
        ];
        for (polled, ended, state) in cases {
            let upload = Upload::new(false);
            upload.note(&polled, ended);
            assert_eq!(upload.state(), state);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_caller_does_not_count_as_movement() {
        let upload = Upload::new(false);
        let began = upload.last_moved();
        tokio::time::advance(Duration::from_secs(2)).await;
        upload.note(&Poll::Pending, false);
        assert_eq!(upload.last_moved(), began);
        upload.note(&Poll::Ready(None), true);
        assert_eq!(upload.last_moved(), began + Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_time_in_which_the_caller_was_waited_for_counts() {
        let upload = Upload::new(false);
        let frame = || Poll::Ready(Some(Ok(Frame::data(Bytes::from("abc")))));
        for _ in 0..2 {
            // Upstream does not read for five seconds, then the caller sends nothing for two.
            tokio::time::advance(Duration::from_secs(5)).await;
            upload.note(&Poll::Pending, false);
            tokio::time::advance(Duration::from_secs(1)).await;
            upload.note(&Poll::Pending, false);
            tokio::time::advance(Duration::from_secs(1)).await;
            upload.note(&frame(), false);
        }
        assert_eq!((upload.bytes(), upload.waited_for_caller()), (6, Duration::from_secs(4)));
        upload.note(&Poll::Pending, false);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(upload.waited_for_caller(), Duration::from_secs(5));
    }

    #[tokio::test]
    async fn a_held_body_waits_for_its_release() {
        let upload = std::sync::Arc::new(Upload::new(true));
        let waiting = tokio::spawn({
            let upload = upload.clone();
            async move { std::future::poll_fn(|context| upload.poll_released(context)).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        upload.release();
        waiting.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_body_that_is_given_up_fails_its_next_poll_and_then_is_gone() {
        let upload = Arc::new(Upload::revocable());
        let body = Watched(upload.clone());
        let polled = |upload: Arc<Upload>| async move {
            std::future::poll_fn(|context| upload.poll_released(context)).await
        };
        assert!(polled(upload.clone()).await.is_ok());
        upload.give_up();
        let error = polled(upload.clone()).await.unwrap_err();
        assert_eq!(error.reason(), Some(h2::Reason::CANCEL));
        let waiting = tokio::spawn({
            let upload = upload.clone();
            async move { upload.gone().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished() && !upload.is_gone());
        drop(body);
        waiting.await.unwrap();
    }
}
