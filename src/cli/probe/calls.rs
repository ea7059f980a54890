//! Sends reads to upstream as a run would: one without credentials, and those that tell what the
//! key may read. None changes anything.

use super::{
    network::millis,
    report::{Finding, Report, Verdict},
};
use crate::{
    dialects::{Dialects, Trial},
    http::{Body, Chain, collect},
    upstream::Upstream,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use serde_json::json;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tower::{ServiceBuilder, ServiceExt, service_fn};

/// The longest answer that is read.
const LONGEST: usize = 64 << 10;

/// Clocks that differ by more seconds than this are warned of.
const APART: i64 = 30;

/// Reads the root of the API; returns whether upstream answered.
pub(super) async fn root(upstream: &Upstream, report: &mut Report) -> bool {
    let root = Uri::from_static("/");
    let began = Instant::now();
    let first = get(upstream, root.clone(), None).await;
    let took = millis(began);
    let answer = match first {
        Ok(answer) => answer,
        Err(why) => {
            let finding = Finding::new(Verdict::Wrong, "answer", format!("GET /: {why}"));
            return report.add(finding.advise(
                "a call through Weir would fail in the same way; see `[upstream]` and its time-outs",
            ));
        }
    };
    let (status, version) = (answer.head.status(), format!("{:?}", answer.head.version()));
    let began = Instant::now();
    let again = get(upstream, root, None).await.is_ok().then(|| millis(began));
    let kept = again.map(|took| format!(", {took} ms once connected")).unwrap_or_default();
    let what = format!("GET / is {} over {version} in {took} ms{kept}", status.as_u16());
    let facts = json!({
        "status": status.as_u16(), "version": version, "ms": took, "ms_connected": again,
    });
    let is_down = matches!(
        status,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
    );
    let finding = match is_down {
        true => Finding::new(Verdict::Wrong, "answer", what)
            .advise("a gateway answers that upstream is not there: ask whoever runs it"),
        false => Finding::new(Verdict::Ok, "answer", what),
    };
    let is_right = report.add(finding.facts(facts));
    report.add(clock(answer.head.headers(), SystemTime::now()));
    is_right
}

/// Compares upstream's clock, as `Date` tells it, with the one here.
fn clock(headers: &HeaderMap, now: SystemTime) -> Finding {
    let topic = "clock";
    let told = headers.get(header::DATE).and_then(|date| date.to_str().ok());
    let parsed = told.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    let Some(theirs) = parsed.map(|date| date.timestamp().as_second()) else {
        return Finding::new(
            Verdict::Note,
            topic,
            "upstream's answer has no Date that can be read",
        );
    };
    let ours = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let ahead = theirs - i64::try_from(ours).unwrap_or(i64::MAX);
    let facts = json!({ "upstream_ahead_s": ahead });
    let what = match ahead {
        -1..=1 => "upstream's is the same as the one here".to_owned(),
        2.. => format!("upstream's is {ahead} s ahead of the one here"),
        _ => format!("upstream's is {} s behind the one here", -ahead),
    };
    match ahead.abs() > APART {
        true => Finding::new(Verdict::Warning, topic, what).advise(
            "look at NTP here: certificates are judged, and the log is dated, by this clock",
        ),
        false => Finding::new(Verdict::Ok, topic, what),
    }
    .facts(facts)
}

/// Tells what the key may read, by asking for things that are not there.
pub(super) async fn readable(upstream: &Upstream, key: &str, report: &mut Report) {
    let Ok(mut credential) = HeaderValue::from_str(&format!("Bearer {key}")) else { return };
    credential.set_sensitive(true);
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        report.add(Finding::new(Verdict::Warning, "key", "no random id can be made here"));
        return;
    }
    let id = uuid::Builder::from_random_bytes(bytes).into_uuid().to_string();
    for trial in Dialects::built_in().trials(&id) {
        let uri = Uri::from(trial.path.clone());
        let with = get(upstream, uri.clone(), Some(credential.clone())).await;
        let without = match trial.is_own {
            true => get(upstream, uri, None).await.ok().map(|answer| answer.head.status()),
            false => None,
        };
        report.add(judged(&trial, with, without));
    }
}

fn judged(trial: &Trial, with: Result<Answer, String>, without: Option<StatusCode>) -> Finding {
    let what = &trial.what;
    let answer = match with {
        Ok(answer) => answer,
        Err(why) => return Finding::new(Verdict::Wrong, "key", format!("{what}: {why}")),
    };
    let status = answer.head.status().as_u16();
    let (verdict, text, advice) = meaning(trial, status, &answer.body, without);
    let finding =
        Finding::new(verdict, "key", format!("{what} is {status}: {text}")).facts(json!({
            "read": what,
            "dialect": trial.dialect.as_str(),
            "status": status,
            "status_without_key": without.map(|status| status.as_u16()),
        }));
    match advice {
        Some(advice) => finding.advise(advice),
        None => finding,
    }
}

/// Says what an answer to a read of something that is not there means, and what to do.
fn meaning(
    trial: &Trial,
    status: u16,
    body: &[u8],
    without: Option<StatusCode>,
) -> (Verdict, &'static str, Option<&'static str>) {
    let base_path = Some("is the base path of `upstream.url` that of the API?");
    match status {
        404 if without == Some(StatusCode::NOT_FOUND) => {
            (Verdict::Warning, "it is so without the key, too, which tells nothing", base_path)
        }
        404 if trial.is_error(body) => (Verdict::Ok, "it may be read, and is not there", None),
        404 => (Verdict::Warning, "it is not in the vendor's form: what answers?", base_path),
        200 => (Verdict::Wrong, "no such thing is there: this is not the payments API", base_path),
        401 if trial.is_own => (
            Verdict::Wrong,
            "upstream does not know the key",
            Some("look at the file of the key: its account, test or live, and that it is whole"),
        ),
        403 if trial.is_own => (
            Verdict::Wrong,
            "the key may not read it, and Weir has a key for nothing else",
            Some("give the key the right to read it"),
        ),
        401 | 403 if !trial.dialect.semantics().credential_opens_sources => {
            (Verdict::Note, "a shopper's own token opens it, and was not tried", None)
        }
        401 | 403 => (Verdict::Note, "Weir reads it with its caller's key, not with this", None),
        429 => (Verdict::Warning, "too many calls at the moment", Some("try again later")),
        _ => (Verdict::Warning, "this tells nothing", Some("ask whoever runs upstream")),
    }
}

/// An answer that was read whole, or as far as it is of use.
struct Answer {
    head: Response<()>,
    body: Bytes,
}

async fn get(
    upstream: &Upstream,
    uri: Uri,
    credential: Option<HeaderValue>,
) -> Result<Answer, String> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = uri;
    let accept = HeaderValue::from_static("application/json");
    request.headers_mut().insert(header::ACCEPT, accept);
    if let Some(credential) = credential {
        request.headers_mut().insert(header::AUTHORIZATION, credential);
    }
    let sent = upstream.clone();
    let client =
        ServiceBuilder::new().layer(upstream.hygiene()).service(service_fn(move |request| {
            let upstream = sent.clone();
            async move { upstream.send(request).await }
        }));
    let answer = client.oneshot(request).await.map_err(|error| Chain(&error).to_string())?;
    let (head, body) = answer.into_parts();
    let body = match collect(body, LONGEST).await {
        Ok(collected) => collected.bytes,
        // Too long for an error: what it is does not matter then.
        Err(crate::http::CollectError::TooLarge(_)) => Bytes::new(),
        Err(error) => return Err(Chain(&error).to_string()),
    };
    Ok(Answer { head: Response::from_parts(head, ()), body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn clocks_are_compared() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (date, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", "the same as"),
            ("Sun, 06 Nov 1994 08:49:57 GMT", "is 20 s ahead of"),
            ("Sun, 06 Nov 1994 08:48:37 GMT", "is 60 s behind"),
            ("yesterday", "no Date"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::DATE, date.parse().unwrap());
            let found = format!("{:?}", clock(&headers, now));
            assert!(found.contains(expected), "{date}: {found}");
            assert_eq!(found.contains("Warning"), date.contains("08:48:37"), "{found}");
        }
    }
}
