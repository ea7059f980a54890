//! Waits for an answer while the request's content is still on its way.
//!
//! In: the exchange, and the watch over its upload. Out: the answer's head, or an error that says
//! which side stalled.

use crate::http::{Body, Upload, UploadState, UpstreamError, collect};
use http::{HeaderValue, Request, StatusCode, header};
use std::{future::Future, pin::pin, sync::Arc, time::Duration};
use tokio::time::Instant;

/// How long upstream may take to send a 100 before a caller that expects one gets it anyway (RFC
/// 9110 section 10.1.1: a client need not wait for ever, and upstream may not know the
/// expectation).
const CONTINUE_WITHIN: Duration = Duration::from_secs(1);

/// How quickly a message must move.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How long either side may be silent.
    pub(super) timeout: Duration,
    /// The least rate of a caller's content, in bytes a second; 0: any.
    pub(super) rate: u64,
}

impl Pace {
    /// How long Weir waits for a caller, in all, before the rate counts.
    pub(super) const GRACE: Duration = Duration::from_secs(20);

    /// Returns whether the caller is waited for and has sent less than the rate asks for. Only the
    /// time counts in which Weir waited for it: an upstream that reads slowly is not its fault.
    fn is_too_slow(self, upload: &Upload) -> bool {
        if upload.state() != UploadState::Caller {
            return false;
        }
        let counted = upload.waited_for_caller().saturating_sub(Self::GRACE);
        u128::from(upload.bytes()) * 1000 < u128::from(self.rate) * counted.as_millis()
    }

    /// Returns how long it is until the rate is looked at again.
    fn next_look(self) -> Duration {
        if self.rate == 0 { self.timeout } else { Self::GRACE / 4 }
    }
}

/// Waits for the end of a body that announced no content, before anything is sent: upstream would
/// take the head alone for the whole request.
pub(super) async fn await_emptiness(
    request: &mut Request<Body>,
    timeout: Duration,
) -> Result<(), UpstreamError> {
    let refused = |late, cause| UpstreamError::Caller { late, cause };
    match tokio::time::timeout(timeout, collect(std::mem::take(request.body_mut()), 0)).await {
        Ok(Ok(_)) => {
            request.headers_mut().remove(header::TRANSFER_ENCODING);
            request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(0));
            Ok(())
        }
        Ok(Err(error)) => Err(refused(false, error.to_string().into())),
        Err(_) => Err(refused(true, "no end of the request within the time-out".into())),
    }
}

/// Watches a streamed body. If the caller expects 100, its body is not polled before upstream has
/// sent one.
pub(super) fn watch(request: Request<Body>, expects: bool) -> (Request<Body>, Option<Arc<Upload>>) {
    if !request.body().is_streamed() {
        return (request, None);
    }
    let upload = Arc::new(Upload::new(expects));
    let mut request = request.map(|body| body.watched(upload.clone()));
    if expects {
        let upload = upload.clone();
        hyper::ext::on_informational(&mut request, move |interim| {
            if interim.status() == StatusCode::CONTINUE {
                upload.release();
            }
        });
    }
    (request, Some(upload))
}

/// Waits for the answer. If none comes in time, the error says which side stalled. An upload may
/// take any time while it moves and its caller keeps the pace.
pub(super) async fn answer_in_time<T>(
    answer: impl Future<Output = T>,
    upload: Option<&Upload>,
    pace: Pace,
) -> Result<T, UpstreamError> {
    let timeout = pace.timeout;
    let mut answer = pin!(answer);
    let first = match upload {
        None => timeout,
        Some(upload) if upload.is_held() => CONTINUE_WITHIN,
        Some(_) => pace.next_look(),
    };
    let mut alarm = pin!(tokio::time::sleep(first.min(timeout)));
    loop {
        tokio::select! {
            biased;
            answer = &mut answer => return Ok(answer),
            () = &mut alarm => {}
        }
        let Some(upload) = upload else { return Err(UpstreamError::TimedOut { sent: true }) };
        upload.release();
        let due = upload.last_moved() + timeout;
        if pace.is_too_slow(upload) {
            return Err(UpstreamError::Caller {
                late: true,
                cause: "content comes slower than the least rate".into(),
            });
        } else if due > Instant::now() {
            alarm.as_mut().reset(due.min(Instant::now() + pace.next_look()));
        } else if upload.state() == UploadState::Caller {
            return Err(UpstreamError::Caller {
                late: true,
                cause: "no content within the time-out".into(),
            });
        } else {
            return Err(UpstreamError::TimedOut { sent: true });
        }
    }
}

/// Distinguishes a request that its caller broke off from a broken answer; hyper reports both as a
/// failed exchange.
pub(super) fn broken(error: hyper::Error, upload: Option<&Upload>) -> UpstreamError {
    let cause = error.into();
    match upload.map(Upload::state) {
        Some(UploadState::Broken) => UpstreamError::Caller { late: false, cause },
        _ => UpstreamError::Broken { sent: true, cause },
    }
}
