//! Tells systemd how Weir is, where a unit of `Type=notify` has started it; else does nothing.

/// Tells that callers can come, or that a reload is over.
pub(super) fn ready() {
    #[cfg(unix)]
    tell(&[sd_notify::NotifyState::Ready]);
}

/// Tells that the configuration is read again.
pub(super) fn reloading() {
    #[cfg(unix)]
    {
        use sd_notify::NotifyState;
        // `Type=notify-reload` wants the time, too.
        let at = NotifyState::monotonic_usec_now();
        tell(&[Some(NotifyState::Reloading), at.ok()].into_iter().flatten().collect::<Vec<_>>());
    }
}

/// Tells that a stop has begun.
pub(super) fn stopping() {
    #[cfg(unix)]
    tell(&[sd_notify::NotifyState::Stopping]);
}

#[cfg(unix)]
fn tell(state: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd could not be told how Weir is");
    }
}
