//! `weir dev`: the proxy before the built-in emulator, a walk-through to paste, and a line for every governed call.

use super::{
    DevArgs, environment,
    gateway::{Gateway, stopped},
    run::{failed, load},
};
use crate::{
    emulator::{Emulator, Options},
    proxy::Decision,
};
use std::{
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
    sync::Arc,
};
use tokio::{
    net::TcpListener,
    sync::{broadcast, watch},
};

/// The curl lines, with the address of Weir in the place of `{weir}` and that of the emulator in the place of `{emulator}`.
const WALK: &str = include_str!("walk.sh");

pub(super) fn run(args: &DevArgs, out: &mut dyn Write) -> io::Result<ExitCode> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = match TcpListener::bind(args.emulator).await {
            Ok(listener) => listener,
            Err(error) => {
                return failed(&format!(
                    "cannot listen on {} for the emulator: {error}; choose another address with --emulator",
                    args.emulator
                ));
            }
        };
        let emulator = listener.local_addr()?;
        let mut sources = args.sources(format!("http://{emulator}"), environment());
        // The lines below are the log here; what goes wrong is still said.
        if args.settings.log_level.is_none() && !sources.environment.iter().any(|(name, _)| name == "WEIR_LOG_LEVEL") {
            sources.flags.push(("log.level", "warn".to_owned()));
        }
        let loaded = match load(&sources) {
            Ok(loaded) => loaded,
            Err(code) => return Ok(code),
        };
        let gateway = match Gateway::bind(&loaded) {
            Ok(gateway) => gateway,
            Err(error) => return failed(&error),
        };
        introduce(out, gateway.address(), emulator, gateway.admin_address())?;
        let decisions = gateway.governor.decisions().listen();
        let stop = watch::Sender::new(false);
        let stopping = |mut stop: watch::Receiver<bool>| async move { drop(stop.wait_for(|stop| *stop).await) };
        let pretending = tokio::spawn(
            Emulator::new(Options { seed: args.seed, ..Options::default() }).run(listener, stopping(stop.subscribe())),
        );
        let serving = gateway.run(stopped());
        tokio::pin!(serving);
        let drained = tokio::select! {
            drained = &mut serving => drained?,
            told = tell(decisions, out) => {
                told?;
                serving.await?
            }
        };
        stop.send_replace(true);
        let _ = pretending.await;
        writeln!(out, "\nStopped: {drained}.")?;
        Ok(ExitCode::SUCCESS)
    })
}

fn introduce(out: &mut dyn Write, weir: SocketAddr, emulator: SocketAddr, admin: Option<SocketAddr>) -> io::Result<()> {
    writeln!(out, "Weir        http://{weir}   send your calls here")?;
    writeln!(out, "Emulator    http://{emulator}   stands in for the payments API")?;
    if let Some(admin) = admin {
        writeln!(out, "Admin       http://{admin}   /sessions, /decisions, /rules, /config, …")?;
    }
    writeln!(out, "\nPaste this into another terminal:\n")?;
    for line in WALK.lines() {
        writeln!(out, "  {}", line.replace("{weir}", &weir.to_string()).replace("{emulator}", &emulator.to_string()))?;
    }
    writeln!(out, "\nGoverned calls, as they come (Ctrl-C ends):")?;
    out.flush()
}

/// A line for every governed call, for as long as somebody reads.
async fn tell(mut decisions: broadcast::Receiver<Arc<Decision>>, out: &mut dyn Write) -> io::Result<()> {
    loop {
        match decisions.recv().await {
            Ok(decision) => writeln!(out, "{}", line(&decision))?,
            Err(broadcast::error::RecvError::Lagged(missed)) => writeln!(out, "… {missed} calls not shown")?,
            Err(broadcast::error::RecvError::Closed) => return Ok(()),
        }
        out.flush()?;
    }
}

fn line(decision: &Decision) -> String {
    let session = decision.session.as_deref().unwrap_or("-");
    let what = match &decision.source {
        Some(source) => format!("{} {}", decision.call, &source[..source.len().min(8)]),
        None => decision.call.to_owned(),
    };
    let mut line = format!("{session:<22}  {what:<24}  {:<9}  {}", decision.decision.as_str(), decision.status);
    if let Some(rule) = decision.rule {
        line += &format!("  {rule}");
    }
    if let Some(found) = &decision.found {
        line += &format!(": {found}");
    }
    let steps: Vec<String> = decision
        .steps
        .iter()
        .map(|step| format!("{} {}", step.what, step.status.map_or("-".to_owned(), |status| status.to_string())))
        .collect();
    if !steps.is_empty() {
        line += &format!("  [{}]", steps.join(" → "));
    }
    line
}
