//! One exchange over HTTP/2.
//!
//! In: a request, and a place on a connection. Out: upstream's answer, its content still streaming;
//! or the request again, if upstream has gone back to HTTP/1.1 meanwhile.

use super::{
    connection::{Answered, Call},
    fields::{check, copy, to_http1, to_http2},
};
use crate::{
    http::{Body, Upload, UpstreamError},
    upstream::{
        carriers::{Carrier, Carriers},
        pool::Connection,
        uploading::{Pace, answer_in_time, broken},
    },
};
use http::{Request, Response};
use hyper::{body::Incoming, client::conn::TrySendError};
use std::{error::Error, sync::Arc, time::Duration};

/// How much of a body is handed to h2 at once, which takes any frame whole.
const PART: usize = 16 << 10;

/// How often a call goes to another connection because hyper wrote none of it to this one.
const MOST_UNWRITTEN: usize = 3;

/// What has become of a request.
pub(in crate::upstream) enum Sent {
    /// Upstream has answered.
    Answered(Response<Body>),
    /// Nothing was sent: upstream speaks HTTP/1.1 now.
    Unsent(Box<Request<Body>>, Connection),
}

/// Sends a request that HTTP/2 can carry. Dropping the future, or the answer's body before its end,
/// resets the stream: nothing more of the call is sent to upstream.
pub(in crate::upstream) async fn exchange(
    carriers: &Carriers,
    (pace, read_timeout): (Pace, Duration),
    mut request: Request<Body>,
    mut call: Call,
) -> Result<Sent, UpstreamError> {
    let target = carriers.way().target();
    to_http2(&mut request, target);
    let (mut unwritten, mut was_refused) = (0, false);
    loop {
        let spare = copy(&request);
        let is_streamed = request.body().is_streamed();
        let (watched, upload) = watch(request);
        let waits_for = upload.as_deref().filter(|_| is_streamed);
        let answer = answer_in_time(call.send(watched), waits_for, pace).await;
        let answer = answer.inspect_err(|error| {
            // Perhaps nothing moves on this connection any more.
            if matches!(error, UpstreamError::TimedOut { sent: true }) {
                call.retire();
            }
        })?;
        let failed = match answer {
            Ok(response) => {
                return answered(response, call, upload, read_timeout).map(Sent::Answered);
            }
            Err(failed) => failed,
        };
        request = match unsent(failed, waits_for)? {
            Unsent::Unwritten(request) if unwritten < MOST_UNWRITTEN => {
                unwritten += 1;
                // The same, with its body whole.
                spare.unwrap_or(*request)
            }
            Unsent::Refused(_) if !was_refused && spare.is_some() => {
                was_refused = true;
                spare.unwrap_or_default()
            }
            Unsent::Unwritten(_) => {
                let cause = "one connection after the other ended before the request was sent";
                return Err(UpstreamError::NotSent(cause.into()));
            }
            Unsent::Refused(error) => return Err(UpstreamError::NotSent(error.into())),
        };
        match carriers.find(Some(call)).await? {
            Carrier::Http2(next) => call = next,
            Carrier::Http1(connection) | Carrier::Kept(connection) => {
                to_http1(&mut request, target);
                return Ok(Sent::Unsent(Box::new(request), connection));
            }
        }
    }
}

/// Watches a body: whether it is streamed or not, its stream is open until it is gone.
fn watch(request: Request<Body>) -> (Request<Body>, Option<Arc<Upload>>) {
    if http_body::Body::is_end_stream(request.body()) {
        return (request, None);
    }
    let upload = Arc::new(Upload::revocable());
    (request.map(|body| body.in_parts(PART).watched(upload.clone())), Some(upload))
}

fn answered(
    response: Response<Incoming>,
    call: Call,
    upload: Option<Arc<Upload>>,
    read_timeout: Duration,
) -> Result<Response<Body>, UpstreamError> {
    let answered = Answered::new(call, upload);
    check(&response)
        .map_err(|unsound| UpstreamError::Broken { sent: true, cause: unsound.into() })?;
    if hyper::body::Body::is_end_stream(response.body()) {
        answered.end();
        return Ok(response.map(|_| Body::empty()));
    }
    Ok(response.map(|body| Body::download_http2(body, read_timeout, move || answered.end())))
}

/// A request that upstream has certainly not processed.
enum Unsent {
    /// None of it was written.
    Unwritten(Box<Request<Body>>),
    /// Upstream says that it did not process it.
    Refused(hyper::Error),
}

/// Tells what was not processed from what may have been.
fn unsent(
    mut failed: TrySendError<Request<Body>>,
    upload: Option<&Upload>,
) -> Result<Unsent, UpstreamError> {
    if let Some(request) = failed.take_message() {
        return Ok(Unsent::Unwritten(Box::new(request)));
    }
    let error = failed.into_error();
    match error.source().and_then(|cause| cause.downcast_ref()) {
        Some(cause) if is_unprocessed(cause) => Ok(Unsent::Refused(error)),
        _ => Err(broken(error, upload)),
    }
}

/// Returns whether upstream has said that it did not process the request (RFC 9113 section 8.7): it
/// has refused the stream, or its GOAWAY names an earlier one as its last. h2 gives the error of a
/// GOAWAY only to the streams after the last one; those before it go on.
fn is_unprocessed(error: &h2::Error) -> bool {
    error.is_remote()
        && (error.is_go_away()
            || error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM))
}
