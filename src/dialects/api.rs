//! Describes one vendor API as a value: the words of its paths, and the functions that read and
//! write its wire form.

use super::{
    outgoing::Outgoing,
    read::{
        body::RequestError,
        coding::DecodedBody,
        media::Media,
        members::UnreadableAnswer,
        path::PathWords,
        query::{Parameters, Query},
    },
    refusal::Refusal,
};
use crate::rules::{Answer, Dialect, Intent, Lookup, RuleId, SessionKey, SourceId, Violation};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use std::fmt;

/// One vendor API. The functions get the segments of paths that every parser reads alike.
pub(crate) struct Api {
    /// What the rules know about it.
    pub dialect: Dialect,
    /// The words of its governed paths.
    pub path: PathWords,
    /// The request header that selects the version of a call, in lower case.
    pub version_header: Option<&'static str>,
    /// The parameters of its queries.
    pub parameters: Parameters,
    /// Whether it has a call that reads a source. Sources of an API that has none are read through
    /// the first listed API that has one.
    pub reads_sources: bool,
    /// The code of an error that tells a caller to wait for other changes of the session.
    pub busy_code: &'static str,
    /// Puts a broken rule of its table into its words.
    pub refusal: fn(&Violation) -> Refusal,
    /// Returns a name for what a path is about, the same for all ids; `None` where no method of it
    /// is governed.
    pub resource: fn(&[&str]) -> Option<&'static str>,
    /// Returns whether a rule may have something to say about a call.
    pub governs: fn(Operation<'_>) -> bool,
    /// Reads what a request means. `None`: no rule governs it.
    pub intent: fn(Operation<'_>, &Request<'_>) -> Result<Option<Intent>, RequestError>,
    /// Reads what a successful answer says. The body is decoded, trimmed and not empty.
    pub answer: fn(Operation<'_>, &Intent, Coverage, &[u8]) -> Result<Answer, UnreadableAnswer>,
    /// Makes the call that looks something up, in the name of the caller whose URI is given. The
    /// key names the session where the intent does not. `None` where there is nothing to look
    /// up.
    pub look_up: fn(&Lookup, &Intent, &Uri, Option<&SessionKey>) -> Option<Outgoing>,
    /// Makes the call that attaches a source. `None` where the path would be too long.
    pub attach: fn(&SessionKey, &SourceId, &Uri) -> Option<Outgoing>,
    /// Makes the call that detaches a source. `None` where the path would be too long.
    pub detach: fn(&SessionKey, &SourceId, &Uri) -> Option<Outgoing>,
    /// Returns the body of a request without the members that the toggle `strip` takes out. `None`
    /// where it has none, or its form does not let them be taken out.
    pub strip: fn(&[u8]) -> Option<Bytes>,
    /// Whether its answers may be read by scripts of any origin, as a shopper's browser needs it.
    pub any_origin: bool,
    /// Returns the media type in which an error is answered.
    pub media: fn(&Uri, &HeaderMap) -> Media,
    /// Returns how upstream's error names a rule that it judges itself. `None` where it refuses no
    /// such call.
    pub refuses_with: fn(RuleId) -> Option<RuleCode>,
    /// Reads the code of an error of upstream's. The body is decoded, trimmed and not empty.
    pub error_code: fn(&[u8]) -> Option<ErrorCode>,
    /// Writes the body of an error.
    pub error: fn(Media, StatusCode, &ErrorEntry<'_>) -> Vec<u8>,
}

impl PartialEq for Api {
    fn eq(&self, other: &Self) -> bool {
        self.dialect == other.dialect
    }
}

impl Eq for Api {}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.dialect.as_str())
    }
}

/// A method and the segments of the path it is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation<'a> {
    pub method: &'a Method,
    pub path: &'a [&'a str],
}

/// What a request says besides its method and path.
pub(crate) struct Request<'a> {
    pub query: &'a Query,
    pub headers: &'a HeaderMap,
    pub body: &'a DecodedBody<'a>,
}

/// How much of a thing an answer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// What the caller's `fields=` names; even a list may be cut.
    Filtered,
    /// What upstream shows by default.
    Default,
    /// Everything: the answer to a look-up of Weir's own.
    Complete,
}

/// The code with which upstream names a rule, and the detail that tells it from other rules of that
/// code.
pub(crate) type RuleCode = (&'static str, Option<&'static str>);

/// The code of an error of upstream's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// The code.
    pub code: String,
    /// Its subcode or parameter, where the vendor's form has one and it is a plain word.
    pub detail: Option<String>,
}

/// One entry of an error body.
pub(crate) struct ErrorEntry<'a> {
    pub code: &'a str,
    pub subcode: Option<&'a str>,
    pub parameter: Option<&'a str>,
    pub message: &'a str,
}
