//! What the tests use of the library: the one place that names its paths.

pub(crate) use tokio_util::task::TaskTracker;
pub(crate) use tower::BoxError;
pub(crate) use weir::{
    Body, Bounds, ClientIdentity, Drained, GovernLayer, GovernSettings, Governor, Is, Problem,
    ProxyPeers, Pulses, Replayed, Roots, ServeOptions, Target, Tls, TlsFiles, Upstream,
    UpstreamKey, UpstreamProxy, UpstreamSettings, Worker,
    internals::{
        admin::{Admin, AdminSettings},
        dialects::{carts, checkouts},
        edge::FaultsLayer,
        emulator::{
            Denial, Emulator, FailingReads, Fault, FaultKind, Gate, Kind, Landing,
            Options as EmulatorOptions, Quirks,
        },
        http::{CollectError, collect, tls_provider},
        rules::{FreshFor, LookUps, Mode, OnLookupFailure, Policy, RuleId, Toggle},
        sessions::{CredentialKey, Probe, Sessions, Settings as SessionSettings, Store},
    },
    listeners, replay, run_workers, serve, stack,
};
