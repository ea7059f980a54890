//! Makes one TLS handshake as a run would, and tells what was agreed on and what upstream showed.
//!
//! Verification is the run's own. It is only watched, so that a certificate that does not hold can
//! be shown, too.

use super::{
    network::millis,
    report::{Finding, Report, Verdict},
    watched::Watched,
};
use crate::{
    http::Chain,
    upstream::{Roots, UpstreamSettings, open_stream, trust},
};
use rustls::{
    CertificateError, ClientConnection, Error,
    pki_types::{CertificateDer, ServerName},
};
use serde_json::json;
use std::{
    io,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio_rustls::TlsConnector;
use tower::BoxError;
use x509_cert::{Certificate, der::Decode};

/// A certificate that has fewer days left than this is warned of.
const SOON: i64 = 14;

const DAY: i64 = 24 * 3600;

/// Makes the handshake; returns whether it succeeded.
pub(super) async fn look(settings: &UpstreamSettings, host: &str, report: &mut Report) -> bool {
    let (config, roots) = match trust(settings) {
        Ok(trust) => trust,
        Err(error) => {
            let finding = Finding::new(Verdict::Wrong, "tls", Chain(&error).to_string());
            return report.add(finding.advise(
                "see `roots`, `ca-file`, `client-certificate` and `client-key` in [upstream]",
            ));
        }
    };
    let trusted = roots.len();
    let watched = match Watched::new(config, roots) {
        Ok(watched) => watched,
        Err(error) => return report.add(Finding::new(Verdict::Wrong, "tls", error.to_string())),
    };
    let began = Instant::now();
    let shaking = tokio::time::timeout(settings.connect_timeout, shake(settings, host, &watched));
    let shaken = shaking.await.unwrap_or_else(|_| Err("no handshake in time".into()));
    let took = millis(began);
    for (nth, certificate) in watched.chain().iter().enumerate() {
        report.add(shown(certificate, nth == 0));
    }
    let known = format!("{}, {trusted} in all", told_roots(settings));
    match shaken {
        Ok(agreed) => {
            let what =
                format!("{}, {}, {}, in {took} ms", agreed.version, agreed.suite, agreed.group);
            report.add(Finding::new(Verdict::Ok, "tls", what).facts(json!({
                "version": agreed.version,
                "cipher_suite": agreed.suite,
                "key_exchange": agreed.group,
                "alpn": agreed.alpn,
                "ms": took,
            })));
            report.add(Finding::new(Verdict::Ok, "alpn", told_alpn(agreed.alpn.as_deref())));
            report.add(Finding::new(Verdict::Ok, "roots", format!("trusted by {known}")));
            report.add(client(settings, watched.was_asked()))
        }
        Err(error) => {
            let finding = Finding::new(Verdict::Wrong, "tls", Chain(&*error).to_string());
            report.add(finding.advise(advice(&*error, &known)).facts(json!({ "ms": took })));
            // Without a certificate of upstream's nothing is known of what it asks for.
            if !watched.chain().is_empty() {
                report.add(client(settings, watched.was_asked()));
            }
            false
        }
    }
}

/// What a handshake agreed on.
struct Agreed {
    version: String,
    suite: String,
    group: String,
    alpn: Option<String>,
}

impl Agreed {
    fn of(connection: &ClientConnection) -> Self {
        let or_not = |text: Option<String>| text.unwrap_or_else(|| "not told".to_owned());
        let version = connection.protocol_version().map(|version| match version {
            rustls::ProtocolVersion::TLSv1_3 => "TLS 1.3".to_owned(),
            rustls::ProtocolVersion::TLSv1_2 => "TLS 1.2".to_owned(),
            other => format!("{other:?}"),
        });
        let suite = connection.negotiated_cipher_suite();
        let group = connection.negotiated_key_exchange_group();
        let alpn = connection.alpn_protocol();
        Self {
            version: or_not(version),
            suite: or_not(suite.map(|suite| format!("{:?}", suite.suite()))),
            group: or_not(group.map(|group| format!("{:?}", group.name()))),
            alpn: alpn.map(|name| String::from_utf8_lossy(name).into_owned()),
        }
    }
}

async fn shake(
    settings: &UpstreamSettings,
    host: &str,
    watched: &Watched,
) -> Result<Agreed, BoxError> {
    let name = ServerName::try_from(host.to_owned())?;
    let stream = open_stream(settings).await?;
    let stream = TlsConnector::from(watched.config()).connect(name, stream).await?;
    Ok(Agreed::of(stream.get_ref().1))
}

fn told_alpn(alpn: Option<&str>) -> String {
    match alpn {
        Some("h2") => "upstream would speak HTTP/2".to_owned(),
        Some("http/1.1") => "upstream speaks HTTP/1.1, and not HTTP/2".to_owned(),
        Some(other) => format!("upstream chose {other}"),
        None => "upstream chooses none: HTTP/1.1".to_owned(),
    }
}

fn told_roots(settings: &UpstreamSettings) -> String {
    let roots = match settings.roots {
        Roots::Platform => "this machine's certificates",
        Roots::Bundled => "Mozilla's certificates, as built in",
        Roots::File => "`ca-file` alone",
    };
    match &settings.ca_file {
        Some(file) => format!("{roots} ({})", file.display()),
        None => roots.to_owned(),
    }
}

/// Tells whether upstream asks who calls. Over TLS 1.3 it may refuse a client later, with the first
/// answer.
fn client(settings: &UpstreamSettings, was_asked: bool) -> Finding {
    let topic = "client";
    match (was_asked, &settings.client) {
        (false, None) => Finding::new(Verdict::Ok, topic, "upstream asks for no certificate"),
        (false, Some(own)) => {
            let file = own.certificate.display();
            Finding::new(Verdict::Note, topic, format!("upstream does not ask for {file}"))
        }
        (true, Some(own)) => {
            let file = own.certificate.display();
            Finding::new(Verdict::Ok, topic, format!("upstream asks, and was shown {file}"))
        }
        (true, None) => {
            let what = "upstream asks for a certificate, and there is none to show";
            Finding::new(Verdict::Warning, topic, what)
                .advise("name `client-certificate` and `client-key` in [upstream]")
        }
    }
}

fn shown(der: &CertificateDer<'_>, is_upstreams: bool) -> Finding {
    let topic = if is_upstreams { "certificate" } else { "issuer" };
    let Ok(certificate) = Certificate::from_der(der) else {
        return Finding::new(Verdict::Warning, topic, "one that cannot be read was shown");
    };
    let certificate = certificate.tbs_certificate();
    let (subject, issuer) = (certificate.subject().to_string(), certificate.issuer().to_string());
    let ends = certificate.validity().not_after.to_unix_duration();
    let begins = certificate.validity().not_before.to_unix_duration();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let left = seconds(ends) - seconds(now);
    let days = left.div_euclid(DAY);
    let (verdict, when) = match left {
        _ if begins > now => (Verdict::Warning, "not valid yet".to_owned()),
        ..0 => (Verdict::Warning, format!("expired {} days ago", -left / DAY)),
        _ if days < SOON => (Verdict::Warning, format!("expires in {days} days")),
        _ => (Verdict::Ok, format!("valid for {days} days more")),
    };
    let finding = Finding::new(verdict, topic, format!("{subject}, by {issuer}, {when}"))
        .facts(json!({ "subject": subject, "issuer": issuer, "days_left": days }));
    match verdict {
        Verdict::Warning => finding.advise("ask whoever runs upstream, or look at the clock here"),
        _ => finding,
    }
}

fn seconds(since: Duration) -> i64 {
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn advice(error: &(dyn std::error::Error + 'static), known: &str) -> String {
    let cause = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    match cause.and_then(|cause| cause.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(why)) => match why {
            CertificateError::UnknownIssuer => {
                format!("none vouches for it of {known}: name its CA's file as `ca-file`")
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "it has expired, or the clock here is wrong".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "`upstream.url` names another host than the certificate".to_owned()
            }
            CertificateError::Other(_) => {
                "if upstream signs its certificate itself: let a CA of your own do so".to_owned()
            }
            _ => format!("was it signed by one of {known}, and did it come whole?"),
        },
        Some(Error::InvalidMessage(_)) => "does upstream speak https on this port?".to_owned(),
        _ => "look at the proxy or the firewall in between, and at upstream's own log".to_owned(),
    }
}
