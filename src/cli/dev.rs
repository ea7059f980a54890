//! `weir dev`: the proxy before the built-in emulator, a walk-through to paste, and a line for
//! every governed call.
//!
//! In: the settings of `weir run`, and whether to put calls in order. Out: two servers on loopback
//! and what they see, on standard output.

use super::{
    gateway::Gateway,
    run::load,
    settings::{DevArgs, environment},
    signals::{self, Hangups, Stops},
    start_error::{StartError, report},
    under_way, walk,
};
use crate::{
    config::{Loaded, Origin, ProxyChoice, Sources, Way},
    dialects,
    emulator::{Emulator, Options},
    observe::{Decision, Step, StepEnd},
    rules::{Mode, Policy, RemedyKind, Toggle},
};
use std::{
    env,
    io::{self, Write},
    net::SocketAddr,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpListener, sync::broadcast};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Delay before a slow stop is announced.
const QUIET_STOP: Duration = Duration::from_millis(300);

pub(super) fn run(args: &DevArgs, out: &mut dyn Write) -> io::Result<ExitCode> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = match TcpListener::bind(args.emulator).await {
            Ok(listener) => listener,
            Err(error) => {
                let listening = StartError::listening("the emulator", "--emulator", args.emulator);
                return report(&listening(error));
            }
        };
        let emulator = listener.local_addr()?;
        let mut loaded = match load(&sources(args, emulator)) {
            Ok(loaded) => loaded,
            Err(code) => return Ok(code),
        };
        // The emulator is here, whatever leads to upstream elsewhere.
        loaded.config.upstream.socket = None;
        loaded.config.upstream.proxy = ProxyChoice::Off;
        loaded.way = Way::Direct;
        own_origins(args, &mut loaded);
        if args.reorder {
            reorder(&mut loaded);
        }
        let gateway = match Gateway::bind(&loaded) {
            Ok(gateway) => gateway,
            Err(error) => return report(&error),
        };
        let stopped = (signals::stops()?, signals::hangups()?);
        signals::reopen_the_log()?;
        let Some(weir) = gateway.address().tcp() else {
            return report(&StartError::NoPort(gateway.address().to_string()));
        };
        tokio::spawn(under_way::tell_when_asked(signals::quits()?, gateway.live()));
        introduce(out, &gateway, (weir, emulator), &loaded.config.policy)?;
        if args.reorder && !loaded.config.policy.may_keep_calls() {
            let mode = loaded.config.policy.mode.as_str();
            writeln!(out, "(--reorder does nothing here: under {mode} no call is kept back.)")?;
            out.flush()?;
        }
        let pretending =
            Emulator::new(Options { seed: args.seed, quirks: args.quirks, ..Options::default() });
        serve(gateway, pretending, listener, stopped, out).await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Returns where the configuration comes from. The lines below are the log here, so that by default
/// only warnings are logged.
fn sources(args: &DevArgs, emulator: SocketAddr) -> Sources {
    let mut sources = args.sources(format!("http://{emulator}"), environment());
    if !args.settings.sets("log.level")
        && !sources.environment.iter().any(|(name, _)| name == "WEIR_LOG_LEVEL")
    {
        sources.flags.push(("log.level", "warn".to_owned()));
    }
    sources
}

/// Serves both until a signal stops them, and prints what is decided.
async fn serve(
    gateway: Gateway,
    emulator: Emulator,
    listener: TcpListener,
    stopped: (Stops, Hangups),
    out: &mut dyn Write,
) -> io::Result<()> {
    let decisions = gateway.governor.decisions().listen();
    let stop = CancellationToken::new();
    // Also when this future is dropped.
    let _stop = stop.clone().drop_guard();
    let pretending = tokio::spawn(emulator.run(listener, stop.clone().cancelled_owned()));
    let serving = gateway.run(announced_stop(stopped));
    tokio::pin!(serving);
    let drained = tokio::select! {
        drained = &mut serving => drained?,
        printed = print(decisions, out) => {
            printed?;
            serving.await?
        }
    };
    stop.cancel();
    let _ = pretending.await;
    writeln!(out, "\nStopped: {drained}.")
}

/// Waits for the signal to stop. A stop that takes a while says what it waits for.
async fn announced_stop((stops, hangups): (Stops, Hangups)) {
    stops.wait_or_hangup(hangups).await;
    tokio::spawn(async {
        tokio::time::sleep(QUIET_STOP).await;
        let _ = writeln!(
            io::stderr(),
            "Stopping: calls under way are finished first. Ctrl-C again cuts them off."
        );
    });
}

/// Puts in order all that can be, without waiting: every rule that has an order, and deferring.
fn reorder(loaded: &mut Loaded) {
    let policy = &mut loaded.config.policy;
    let mut by_flag = |key: String| {
        loaded.origins.insert(key, Origin::Flag("--reorder".to_owned()));
    };
    for dialect in dialects::ALL {
        for row in dialect.rows().iter().filter(|row| row.remedy_toggle() == Some(Toggle::Reorder))
        {
            policy.toggles.set(dialect, row.id, Toggle::Reorder);
            by_flag(format!("policy.rules.{dialect}.{}", row.id));
        }
    }
    policy.sequencing.defer = true;
    by_flag("sequencing.defer".to_owned());
}

/// Says of what nobody gave that this subcommand sets it.
fn own_origins(args: &DevArgs, loaded: &mut Loaded) {
    let is_level_given = args.settings.sets("log.level");
    for (key, origin) in &mut loaded.origins {
        let is_ours = key == "upstream.url" || key == "log.level" && !is_level_given;
        if is_ours && matches!(origin, Origin::Flag(_)) {
            *origin = Origin::Command("weir dev");
        }
    }
}

/// Returns whether calls that come too late are put in order.
fn repairs(policy: &Policy) -> bool {
    dialects::ALL.into_iter().any(|dialect| {
        policy.rows(Some(dialect)).any(|(_, row, toggle)| {
            row.remedy == Some(RemedyKind::Repair) && toggle == Toggle::Reorder
        })
    })
}

fn introduce(
    out: &mut dyn Write,
    gateway: &Gateway,
    (weir, emulator): (SocketAddr, SocketAddr),
    policy: &Policy,
) -> io::Result<()> {
    writeln!(out, "Weir        http://{weir}   send your calls here")?;
    writeln!(out, "Emulator    http://{emulator}   stands in for the payments API")?;
    if let Some(admin) = gateway.admin_address() {
        writeln!(out, "Admin       http://{admin}   /sessions, /decisions, /rules, /config, …")?;
    }
    writeln!(out, "\nPaste this into another terminal:\n")?;
    for line in walk::lines(policy, weir, emulator) {
        writeln!(out, "{}", format!("  {line}").trim_end())?;
    }
    let program = env::args().next().unwrap_or_else(|| "weir".to_owned());
    writeln!(out, "\nTo see the same walk end otherwise, end this with Ctrl-C and start:")?;
    let repairs = repairs(policy);
    for (flags, what, shown) in [
        ("", "calls out of order are refused", policy.mode == Mode::Enforce && !repairs),
        (" --reorder", "calls out of order are put in order", repairs),
        (
            " --mode monitor",
            "nothing is refused; what would have been is told",
            policy.mode == Mode::Monitor,
        ),
    ] {
        if !shown {
            writeln!(out, "  {:<40}  {what}", format!("{program} dev{flags}"))?;
        }
    }
    writeln!(out, "\nGoverned calls, as they come:")?;
    out.flush()
}

/// Prints a line for every governed call.
async fn print(
    mut decisions: broadcast::Receiver<Arc<Decision>>,
    out: &mut dyn Write,
) -> io::Result<()> {
    loop {
        match decisions.recv().await {
            Ok(decision) => writeln!(out, "{}", line(&decision))?,
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                writeln!(out, "… {missed} calls not shown")?
            }
            Err(broadcast::error::RecvError::Closed) => return Ok(()),
        }
        out.flush()?;
    }
}

/// Writes who called, what for and how it ended; then what was seen, what Weir asked upstream, and
/// the decision's id, which is the header `Weir-Decision-Id` of the answer.
fn line(decision: &Decision) -> String {
    let session = decision.session.as_ref().map_or("-".to_owned(), ToString::to_string);
    let what = match &decision.source {
        Some(source) => format!("{} {source}", decision.call),
        None => decision.call.to_owned(),
    };
    let mut line = format!(
        "{session:<21}  {:<16}  {:<9}  {}",
        shorten_uuids(&what),
        decision.decision.as_str(),
        decision.status
    );
    if let Some(rule) = decision.rule {
        line += &format!("  {rule}");
    }
    if let Some(found) = &decision.found {
        line += &format!(": {found}");
    }
    if let Some(reason) = decision.reason {
        line += &format!("  {reason}");
    }
    if !decision.unjudged.is_empty() {
        let rules: Vec<&str> = decision.unjudged.iter().map(|one| one.rule.as_str()).collect();
        line += &format!("  not judged: {}", rules.join(", "));
    }
    if !decision.steps.is_empty() {
        let steps: Vec<String> = decision.steps.iter().map(step).collect();
        line += &format!("  [{}]", steps.join(", "));
    }
    line += &format!("  {}", decision.id);
    shorten_uuids(&line)
}

fn step(step: &Step) -> String {
    match step.end {
        StepEnd::Answered(status) => format!("{} {status}", step.kind),
        StepEnd::Unreadable { status, .. } => format!("{} {status}, unreadable", step.kind),
        StepEnd::Unanswered => format!("{}: no answer", step.kind),
        StepEnd::NotSent => format!("{}: not sent", step.kind),
        StepEnd::Unasked => format!("{}: not asked", step.kind),
    }
}

/// Keeps only the first eight digits of every UUID in a text, which is enough to tell the sources
/// of one walk apart.
fn shorten_uuids(text: &str) -> String {
    let mut short = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let uuid = rest.get(..36).filter(|word| Uuid::try_parse(word).is_ok());
        let (kept, read) = uuid.map_or((first.len_utf8(), first.len_utf8()), |_| (8, 36));
        short.push_str(&rest[..kept]);
        rest = &rest[read..];
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialects::carts,
        observe::Decided,
        rules::{RuleId, SessionKey},
    };

    #[test]
    fn a_line_tells_who_what_how_it_ended_and_what_was_seen() {
        let card = "e4d93032-2137-4073-a9a6-100461edd57a";
        let decision = Decision {
            id: "1".to_owned(),
            at: 0,
            dialect: carts::DIALECT,
            session: Some(SessionKey::new(carts::CART, "388401425688")),
            call: "attach",
            is_read: false,
            source: Some("de70d101-9fc6-4081-96de-6acd12c87e38".to_owned()),
            order: None,
            decision: Decided::Rejected,
            reason: None,
            rule: Some(RuleId::PrimaryBeforeSecondary),
            found: Some(format!(
                "secondary de70d101-9fc6-4081-96de-6acd12c87e38 after the primary {card}"
            )),
            accepted: None,
            overrides: Vec::new(),
            unjudged: Vec::new(),
            unread: Vec::new(),
            status: 409,
            upstream_code: None,
            steps: vec![
                Step {
                    kind: crate::observe::StepKind::LookUp(crate::rules::Lookup::Source(
                        card.into(),
                    )),
                    end: StepEnd::Answered(200),
                },
                Step {
                    kind: crate::observe::StepKind::LookUp(crate::rules::Lookup::Session),
                    end: StepEnd::Unanswered,
                },
            ],
            upstream_us: 0,
            weir_us: 0,
            request_id: None,
            trace_id: None,
            client: None,
        };
        assert_eq!(
            line(&decision),
            "cart 388401425688      attach de70d101   rejected   409  primary-before-secondary: \
             secondary de70d101 after the primary e4d93032  \
             [look up source e4d93032 200, look up the session: no answer]  1"
        );
    }

    #[test]
    fn only_uuids_are_shortened() {
        for text in [
            "",
            "short",
            "é",
            "e4d93032-2137-4073-a9a6-100461edd57",
            "é4d93032-2137-4073-a9a6-100461edd57a",
        ] {
            assert_eq!(shorten_uuids(text), text);
        }
        assert_eq!(shorten_uuids("(e4d93032-2137-4073-a9a6-100461edd57a)"), "(e4d93032)");
    }
}
