//! `weir probe`: looks at the way to upstream before going live.
//!
//! In: the configuration of a run. Out: what was found on the way, one line each: the name, each
//! address, TLS and certificates, clocks, an answer, and what the key may read. It sends reads
//! only, and shows no secret. The exit code is 0 if nothing keeps Weir from working, and 1 if
//! something does.

mod calls;
mod network;
mod report;
mod tls;
mod watched;

use super::{
    gateway::way_settings,
    settings::{ProbeArgs, environment},
    start_error,
};
use crate::{
    config::{Config, Loaded},
    dialects,
    http::Chain,
    upstream::{Upstream, UpstreamSettings},
};
use network::End;
use report::{Finding, Report, Verdict};
use std::{
    io::{self, Write},
    process::ExitCode,
};

/// What no probe can tell.
const NOT_KNOWN: &str = "whether shoppers' tokens and your service's keys open what they should, \
                         and what upstream does with changes: begin with `--mode monitor`";

pub(super) fn run(args: &ProbeArgs, out: &mut dyn Write) -> io::Result<ExitCode> {
    let loaded = match Config::load(&args.sources(environment()), dialects::policy()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            write!(io::stderr(), "{problems}")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let settings = match way_settings(&loaded) {
        Ok(settings) => settings,
        Err(error) => return start_error::report(&error),
    };
    let url = loaded.config.upstream.url.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut report = Report::new(url, loaded.way.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(look(&loaded, settings, &mut report));
    report.add(Finding::new(Verdict::Note, "not known", NOT_KNOWN));
    report.write(args.format(), out)?;
    Ok(if report.is_wrong() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Goes the way step by step, as far as it leads.
async fn look(loaded: &Loaded, settings: UpstreamSettings, report: &mut Report) {
    let Some(url) = &loaded.config.upstream.url else { return };
    let host = bare(url.host());
    let is_over_socket = settings.socket.is_some();
    if is_over_socket {
        let what = "not looked at by itself: the way leads over a Unix socket";
        report.add(Finding::new(Verdict::Note, "network", what));
    } else {
        let end = match loaded.way.proxy() {
            None => End { whose: "upstream", host, port: url.port() },
            Some(proxy) => End { whose: "the proxy", host: bare(proxy.host()), port: proxy.port() },
        };
        if !network::look(&end, settings.connect_timeout, report).await {
            return;
        }
    }
    if settings.target.is_https() {
        if !is_over_socket && !tls::look(&settings, host, report).await {
            return;
        }
    } else if !is_over_socket {
        let what = "none: keys and tokens go to upstream in the clear";
        report.add(Finding::new(Verdict::Warning, "tls", what).advise("write an https URL"));
    }
    let upstream = match Upstream::new(settings) {
        Ok(upstream) => upstream,
        Err(error) => {
            report.add(Finding::new(Verdict::Wrong, "tls", Chain(&error).to_string()));
            return;
        }
    };
    if !calls::root(&upstream, report).await {
        return;
    }
    match &loaded.key {
        Some(key) => calls::readable(&upstream, key.expose(), report).await,
        None => {
            let what = "none: what it may read was not tried (--key-file)";
            report.add(Finding::new(Verdict::Note, "key", what));
        }
    }
}

/// Takes the brackets off an IPv6 address.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}
