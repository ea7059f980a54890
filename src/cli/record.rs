//! Writes decisions to the decision log that the configuration names.

use super::start_error::StartError;
use crate::{
    config::{self, LogTo},
    govern::Governor,
    observe::{DecisionLog, FileSettings},
};
#[cfg(unix)]
use std::fs;
use std::{
    io::{self, BufWriter},
    sync::Arc,
};

/// How many bytes are collected while lines are waiting.
const AT_ONCE: usize = 64 << 10;

/// Starts the decision log, if there is to be one.
pub(super) fn start(to: &config::DecisionLog, governor: &Governor) -> Result<(), StartError> {
    let log = match &to.to {
        LogTo::Off => return Ok(()),
        LogTo::Stdout => standard_output().and_then(DecisionLog::start),
        LogTo::File(path) => {
            let (path, rotate_at, keep) = (path.clone(), to.rotate_at, to.keep);
            let settings = FileSettings { path, rotate_at, keep };
            // No error of the start: a full disk must not keep payments from being made.
            if let Err(error) = settings.try_open() {
                let path = settings.path.display();
                tracing::error!(
                    %path,
                    %error,
                    "the decision log cannot be opened: its lines are dropped and counted until it \
                     can"
                );
            }
            DecisionLog::in_file(settings)
        }
    };
    governor.decisions().record_in(log.map_err(StartError::DecisionLog)?);
    Ok(())
}

/// Returns standard output under a descriptor of its own: what the process itself prints, and its
/// end, wait for no reader of the log.
#[cfg(unix)]
fn standard_output() -> io::Result<BufWriter<fs::File>> {
    use std::os::fd::AsFd;
    let own = io::stdout().as_fd().try_clone_to_owned()?;
    Ok(BufWriter::with_capacity(AT_ONCE, fs::File::from(own)))
}

#[cfg(not(unix))]
fn standard_output() -> io::Result<BufWriter<io::Stdout>> {
    Ok(BufWriter::with_capacity(AT_ONCE, io::stdout()))
}

/// From now on opens the log's file again at every SIGUSR1.
pub(super) fn reopen_on_signal(governor: &Arc<Governor>) -> io::Result<()> {
    #[cfg(unix)]
    if governor.decisions().recorder().is_some() {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut asked, governor) = (signal(SignalKind::user_defined1())?, governor.clone());
        tokio::spawn(async move {
            while asked.recv().await.is_some() {
                governor.decisions().recorder().into_iter().for_each(DecisionLog::reopen);
            }
        });
    }
    Ok(())
}

/// Writes the lines that wait, for about a second at most.
pub(super) fn finish(governor: &Governor) {
    governor.finish_recording();
}
