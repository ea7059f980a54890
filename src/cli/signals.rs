//! The signals that a process waits for. It waits from the moment at which it asks for them: one
//! that came earlier would end it at once.

use crate::observe::telemetry;
use std::io::{self, Write};

/// Ctrl-C and SIGTERM, which stop the process.
pub(super) struct Stops {
    #[cfg(unix)]
    interrupts: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminations: tokio::signal::unix::Signal,
}

/// The hang-ups (SIGHUP) of the process; none where there are no signals.
pub(super) struct Hangups {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

/// The quits (SIGQUIT) of the process, which ask what it does; none where there are no signals.
pub(super) struct Quits {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

/// Begins to wait for the signals that stop the process.
pub(super) fn stops() -> io::Result<Stops> {
    #[cfg(unix)]
    use tokio::signal::unix::{SignalKind, signal};
    Ok(Stops {
        #[cfg(unix)]
        interrupts: signal(SignalKind::interrupt())?,
        #[cfg(unix)]
        terminations: signal(SignalKind::terminate())?,
    })
}

/// Begins to wait for quits, which no longer end the process.
pub(super) fn quits() -> io::Result<Quits> {
    #[cfg(unix)]
    use tokio::signal::unix::{SignalKind, signal};
    Ok(Quits {
        #[cfg(unix)]
        signal: signal(SignalKind::quit())?,
    })
}

/// Begins to wait for hang-ups.
pub(super) fn hangups() -> io::Result<Hangups> {
    #[cfg(unix)]
    use tokio::signal::unix::{SignalKind, signal};
    Ok(Hangups {
        #[cfg(unix)]
        signal: signal(SignalKind::hangup())?,
    })
}

/// From now on opens the log's file again at every SIGUSR1, which would end the process otherwise.
pub(super) fn reopen_the_log() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut asked = signal(SignalKind::user_defined1())?;
        tokio::spawn(async move {
            while asked.recv().await.is_some() {
                telemetry::reopen();
            }
        });
    }
    Ok(())
}

/// From now on answers SIGQUIT and SIGUSR1, which would end the process otherwise, with a line: for
/// a program that has neither a log nor calls of its own.
pub(super) fn outlive_quits() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut quits, mut reopens) =
            (signal(SignalKind::quit())?, signal(SignalKind::user_defined1())?);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = quits.recv() => {}
                    _ = reopens.recv() => {}
                }
                let _ = writeln!(io::stderr(), "It has no log to show or to open. Ctrl-C ends it.");
            }
        });
    }
    Ok(())
}

impl Stops {
    /// Waits for the first. The second one runs `tell` and ends the process at once.
    pub(super) async fn wait(mut self, tell: impl Future<Output = ()> + Send + 'static) {
        self.next().await;
        self.end_at_next(tell);
    }

    /// Waits as [`Stops::wait`] does, and for the end of the terminal, too: for a program that
    /// somebody watches.
    pub(super) async fn wait_or_hangup(mut self, mut hangups: Hangups) {
        tokio::select! {
            () = self.next() => {}
            () = hangups.next() => {}
        }
        self.end_at_next(async { print() });
    }

    fn end_at_next(mut self, tell: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(async move {
            self.next().await;
            tell.await;
            telemetry::finish();
            std::process::exit(130);
        });
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupts.recv() => {}
            _ = self.terminations.recv() => {}
        }
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

impl Hangups {
    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        #[cfg(unix)]
        if self.signal.recv().await.is_some() {
            return;
        }
        std::future::pending().await
    }
}

impl Quits {
    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        #[cfg(unix)]
        if self.signal.recv().await.is_some() {
            return;
        }
        std::future::pending().await
    }
}

fn print() {
    // Not `eprintln!`, which panics where standard error is closed.
    let _ = writeln!(io::stderr(), "Stopped at once: what was under way is cut off.");
}
