//! Cross-checks: values that are valid alone but contradict each other.
//!
//! In: the values and where they stand. Out: further problems. A key that could not be read is not
//! judged again.

use super::{
    callers_tls,
    form::LogTo,
    itself::is_itself,
    problem::{Place, Problem},
    read::Reading,
    sections::Roots,
    sources::Purpose,
    upstream_url::UpstreamUrl,
    values::Config,
};
use crate::rules::{Dialect, RemedyKind, RuleId, Sequencing, SourceType, Toggle};
use http::uri::Scheme;
use rustls::{
    RootCertStore,
    pki_types::{
        CertificateDer,
        pem::{self, PemObject},
    },
};
use std::{io, net::SocketAddr, path::Path};

pub(super) fn check(config: &Config, purpose: Purpose, reading: &mut Reading) {
    let mut found = Vec::new();
    addresses(config, reading, &mut found);
    admin(config, reading, &mut found);
    upstream(config, purpose, reading, &mut found);
    lists(config, reading, &mut found);
    sequencing(config, reading, &mut found);
    found.extend(logs(config, reading));
    found.extend(callers_tls::check(config, reading));
    for problem in found {
        reading.problems.push(problem);
    }
}

/// Returns what is wrong where both logs go to one file: each would put the other's aside.
fn logs(config: &Config, reading: &Reading) -> Option<Problem> {
    let LogTo::File(file) = &config.decision_log.to else { return None };
    let place = place(reading, &["decision-log.to"]);
    let message = format!("{} is the file of `log.file`, too", file.display());
    let problem = Problem::error(place, message).about("decision-log.to").suggest("name two files");
    (config.log.file.as_ref() == Some(file)).then_some(problem)
}

/// Returns the place of the first of these keys that was written.
fn place(reading: &Reading, keys: &[&str]) -> Place {
    keys.iter().find_map(|key| reading.places.get(*key)).cloned().unwrap_or(Place::Nowhere)
}

fn readable(reading: &Reading, keys: &[&str]) -> bool {
    keys.iter().all(|key| !reading.broken.contains(*key))
}

fn addresses(config: &Config, reading: &Reading, found: &mut Vec<Problem>) {
    let proxy = ("the proxy", "listen.address", config.listen.address.tcp());
    let admin = ("the admin API", "admin.address", config.admin.address);
    let probes = ("the probes", "probes.address", config.probes.address);
    for (ours, theirs) in [(admin, proxy), (probes, proxy), (probes, admin)] {
        let ((what, key, Some(address)), (other, of, Some(taken))) = (ours, theirs) else {
            continue;
        };
        if readable(reading, &[of, key]) && collide(taken, address) {
            let also = also(taken, address);
            let message = format!("{what} and {other} cannot both listen on {taken}{also}");
            let problem = Problem::error(place(reading, &[key, of]), message).about(key);
            let instead = format!("give {what} another port, or write \"off\"");
            found.push(problem.suggest(instead));
        }
    }
}

/// Warns of an admin API that others can reach and that asks nobody who he is.
fn admin(config: &Config, reading: &Reading, found: &mut Vec<Problem>) {
    let open = config.admin.address.filter(|address| !address.ip().is_loopback());
    if let (Some(address), None) = (open, &config.admin.token_file)
        && readable(reading, &["admin.address", "admin.token-file"])
    {
        let place = place(reading, &["admin.address"]);
        let message = format!("the admin API on {address} shows sessions to whoever reaches it");
        let instead = "keep it on 127.0.0.1 and open [probes] to others, or name a `token-file`";
        found.push(Problem::warning(place, message).about("admin.address").suggest(instead));
    }
}

fn also(taken: SocketAddr, address: SocketAddr) -> String {
    if taken == address {
        String::new()
    } else {
        format!(" (which includes {address}, or is included in it)")
    }
}

/// Returns whether two sockets need the same port of the same address. Port 0 is always a free one.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port()
        && a.port() != 0
        && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
}

fn upstream(config: &Config, purpose: Purpose, reading: &Reading, found: &mut Vec<Problem>) {
    if readable(reading, &["upstream.url"]) {
        found.extend(url(config, purpose, reading));
    }
    found.extend(incomplete(config, reading));
    if config.upstream.socket.as_ref().is_some_and(|path| path.to_string_lossy().contains("unix:"))
    {
        let place = place(reading, &["upstream.socket"]);
        let problem = Problem::error(place, "`socket` is a path, without `unix:` before it");
        found.push(problem.about("upstream.socket").suggest("write it as in \"/run/egress.sock\""));
    }
    if let Some(file) = &config.upstream.ca_file {
        let place = place(reading, &["upstream.ca-file"]);
        let is_plain = |url: &UpstreamUrl| *url.scheme() == Scheme::HTTP;
        let problem = match config.upstream.url.as_ref().is_some_and(is_plain) {
            true => Some(unused(file, place)),
            false => certificates(file, place, purpose),
        };
        found.extend(problem.map(|problem| problem.about("upstream.ca-file")));
    }
}

/// Returns what is missing beside the files of TLS that are named.
fn incomplete(config: &Config, reading: &Reading) -> Option<Problem> {
    let upstream = &config.upstream;
    let (key, message, instead) =
        match (&upstream.client_certificate, &upstream.client_key, &upstream.ca_file) {
            (Some(_), None, _) => (
                "upstream.client-certificate",
                "`client-certificate` has no `client-key`",
                "name the file of its private key as `client-key`",
            ),
            (None, Some(_), _) => (
                "upstream.client-key",
                "`client-key` has no `client-certificate`",
                "name the file of its certificate as `client-certificate`",
            ),
            (_, _, None) if upstream.roots == Roots::File => (
                "upstream.roots",
                "`roots` is \"file\", and no `ca-file` is named",
                "name the file of the certificates to trust as `ca-file`",
            ),
            _ => return None,
        };
    let problem = Problem::error(place(reading, &[key]), message).about(key);
    Some(problem.suggest(instead))
}

/// Says that certificates to trust are not used, and so not read, where upstream speaks no TLS.
fn unused(file: &Path, place: Place) -> Problem {
    let message = format!("{} is not used: upstream's URL is http", file.display());
    Problem::warning(place, message).suggest("write an https URL, or remove `ca-file`")
}

/// Returns what is wrong with a file of certificates to trust. It may be on another machine when
/// the configuration is only checked; where it is here, it must hold what a run needs.
fn certificates(file: &Path, place: Place, purpose: Purpose) -> Option<Problem> {
    let name = file.display();
    match trusted(file) {
        Ok(0) => {
            let problem = Problem::error(place, format!("{name} holds no certificate"));
            Some(problem.suggest("name a PEM file, with \"-----BEGIN CERTIFICATE-----\" in it"))
        }
        Ok(_) => None,
        Err(Unusable::File(error)) => {
            let message = format!("the file {name} cannot be read: {error}");
            Some(match purpose {
                Purpose::Run => Problem::error(place, message),
                _ => Problem::warning(place, message),
            })
        }
        Err(Unusable::Certificate(why)) => {
            let message = format!("{name} holds a certificate that cannot be used: {why}");
            Some(Problem::error(place, message))
        }
    }
}

/// Why a file of certificates cannot be used.
enum Unusable {
    File(io::Error),
    Certificate(String),
}

/// Counts the certificates of a file, as a run would trust them.
fn trusted(file: &Path) -> Result<usize, Unusable> {
    let unusable = |error| match error {
        pem::Error::Io(error) => Unusable::File(error),
        other => Unusable::Certificate(other.to_string()),
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(unusable)? {
        let certificate = certificate.map_err(unusable)?;
        roots.add(certificate).map_err(|error| Unusable::Certificate(error.to_string()))?;
    }
    Ok(roots.len())
}

fn url(config: &Config, purpose: Purpose, reading: &Reading) -> Option<Problem> {
    match &config.upstream.url {
        None if purpose != Purpose::Check => {
            let message = "no upstream is named: there is nothing to stand in front of";
            let problem = Problem::error(Place::Nowhere, message).about("upstream.url");
            let instead = "give --upstream URL, set WEIR_UPSTREAM, or write `url` in [upstream]";
            Some(problem.suggest(instead))
        }
        Some(_) if readable(reading, &["listen.address"]) && is_itself(config) => {
            let place = place(reading, &["upstream.url", "listen.address"]);
            let message = "upstream is Weir itself: it would call itself without end";
            let problem = Problem::error(place, message).about("upstream.url");
            Some(problem.suggest("name the payments API"))
        }
        _ => None,
    }
}

fn lists(config: &Config, reading: &Reading, found: &mut Vec<Problem>) {
    let types = &config.policy.types;
    let savable = ("policy.types.savable", &types.savable);
    let secondary = ("policy.types.secondary", &types.secondary);
    for name in both(savable, ("policy.types.not-savable", &types.not_savable), reading) {
        let place = item(reading, &["policy.types.not-savable", "policy.types.savable"], name);
        let problem = Problem::error(place, format!("\"{name}\" is both savable and not savable"))
            .about("policy.types.not-savable");
        found.push(problem.suggest("keep it in one of the two lists"));
    }
    let never = (savable.0.to_owned(), savable.1, "store credit is never savable");
    let pairing = types.pairing.iter().map(|(dialect, list)| {
        (format!("policy.types.{}", dialect.keys().pairing.0), list, "the list is of primaries")
    });
    for (key, names, why) in std::iter::once(never).chain(pairing) {
        let list = (key.as_str(), names);
        for name in both(list, secondary, reading) {
            let place = item(reading, &[list.0, secondary.0], name);
            found.push(
                Problem::warning(place, format!("\"{name}\" is a secondary type: {why}"))
                    .about(list.0)
                    .suggest("remove it here"),
            );
        }
    }
}

fn both<'a>(
    a: (&str, &'a Vec<SourceType>),
    b: (&str, &Vec<SourceType>),
    reading: &Reading,
) -> Vec<&'a SourceType> {
    match readable(reading, &[a.0, b.0]) {
        true => a.1.iter().filter(|name| b.1.contains(name)).collect(),
        false => Vec::new(),
    }
}

/// Returns the place of a name in the first of these lists that was written.
fn item(reading: &Reading, keys: &[&str], name: &SourceType) -> Place {
    let spot = keys
        .iter()
        .find_map(|key| reading.items.get(&((*key).to_owned(), name.as_str().to_owned())));
    spot.cloned().unwrap_or_else(|| place(reading, keys))
}

fn sequencing(config: &Config, reading: &Reading, found: &mut Vec<Problem>) {
    if !readable(reading, &["sequencing.window", "sequencing.defer"]) {
        return;
    }
    let policy = &config.policy;
    let Sequencing { window, defer } = policy.sequencing;
    let window = !window.is_zero();
    // Each dialect, the rule under which its calls wait, and whether they do.
    let waits: Vec<_> = policy
        .toggles
        .dialects()
        .map(|dialect| (dialect, dialect.semantics().waits_under))
        .map(|(dialect, rule)| {
            (dialect, rule, policy.toggles.get(dialect, rule) == Some(Toggle::Reorder))
        })
        .collect();
    for (dialect, rule, reorders) in &waits {
        let only_waits = dialect.row(*rule).is_some_and(|row| row.remedy == Some(RemedyKind::Wait));
        if *reorders && only_waits && !window && !defer {
            found.push(acts_as_reject(reading, *dialect, *rule));
        }
    }
    if window && !waits.iter().any(|(_, _, reorders)| *reorders) {
        let rules: Vec<_> = waits.iter().map(|(_, rule, _)| format!("`{rule}`")).collect();
        let message = "`window` has no effect: no rule that it serves is set to \"reorder\"";
        let problem = Problem::warning(place(reading, &["sequencing.window"]), message)
            .about("sequencing.window");
        let rules = rules.join(" or ");
        found.push(problem.suggest(format!("set {rules} to \"reorder\" in [policy.rules]")));
    }
    let deferring = || waits.iter().filter(|(dialect, _, _)| dialect.semantics().may_defer);
    if defer
        && !deferring().any(|(_, _, reorders)| *reorders)
        && let Some((_, rule, _)) = deferring().next()
    {
        let message = format!("`defer` has no effect: `{rule}` is not set to \"reorder\"");
        let problem = Problem::warning(place(reading, &["sequencing.defer"]), message)
            .about("sequencing.defer");
        found.push(problem.suggest(format!("set `{rule} = \"reorder\"` in [policy.rules]")));
    }
}

fn acts_as_reject(reading: &Reading, dialect: Dialect, rule: RuleId) -> Problem {
    let key = format!("policy.rules.{dialect}.{rule}");
    let common = format!("policy.rules.{rule}");
    let message = format!(
        "`{rule} = \"reorder\"` acts as \"reject\": nothing may wait while `window` is \"0s\" \
         and `defer` is false"
    );
    Problem::warning(place(reading, &[&key, &common]), message).about(key).suggest(
        "set `window` (such as \"300ms\") or `defer = true` in [sequencing], or write \"reject\"",
    )
}
