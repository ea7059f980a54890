//! The file descriptors that the process may have, and how many connections they are enough for.

/// Descriptors that are kept for the admin address and the probes, 64 connections each, for files,
/// timers and what else a process opens.
#[cfg(unix)]
const KEPT: u64 = 192;

/// The most connections where nothing is said.
const MOST: usize = 65_536;

/// Raises the number of descriptors that the process may have as far as the system lets it, and
/// returns how many connections of callers to serve at one time. Each may need one to upstream.
pub(super) fn connections(wanted: Option<usize>) -> usize {
    let Some(most) = affordable() else { return wanted.unwrap_or(MOST) };
    match wanted {
        None => most.min(MOST),
        Some(wanted) if wanted > most => {
            tracing::warn!(
                connections = wanted,
                affordable = most,
                "`limits.connections` is more than the process has descriptors for: raise its limit \
                 (ulimit -n, LimitNOFILE), or write a lower number; the affordable number holds"
            );
            most
        }
        Some(wanted) => wanted,
    }
}

#[cfg(unix)]
fn affordable() -> Option<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        // The old limit still holds.
        Err(_) => limit.current,
    }?;
    Some(usize::try_from(current.saturating_sub(KEPT) / 2).unwrap_or(usize::MAX).max(1))
}

#[cfg(not(unix))]
fn affordable() -> Option<usize> {
    None
}
