//! The signals that stop the process.

use std::io::{self, Write};

/// Waits for Ctrl-C or SIGTERM. The second one ends the process at once.
pub(super) async fn stop() {
    signal().await;
    tokio::spawn(async {
        signal().await;
        // Not `eprintln!`, which panics where standard error is closed.
        let _ = writeln!(io::stderr(), "Stopped at once: what was under way is cut off.");
        std::process::exit(130);
    });
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

#[cfg(not(unix))]
async fn signal() {
    let _ = tokio::signal::ctrl_c().await;
}
