//! Writes decisions to the decision log that the configuration names.

use super::start_error::StartError;
use crate::{
    config::{self, LogTo},
    govern::Governor,
    observe::{DecisionLog, FileSettings},
};
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
        LogTo::Stdout => DecisionLog::start(BufWriter::with_capacity(AT_ONCE, io::stdout())),
        LogTo::File(path) => DecisionLog::in_file(FileSettings {
            path: path.clone(),
            rotate_at: to.rotate_at,
            keep: to.keep,
        }),
    };
    governor.decisions().record_in(log.map_err(StartError::DecisionLog)?);
    Ok(())
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
