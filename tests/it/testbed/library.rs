//! What the tests use of the library: the one place that names its paths.

pub(crate) use weir::{
    admin::Admin,
    emulator::{Emulator, Fault, FaultKind, Gate, Kind, Options as EmulatorOptions},
    proxy::{
        Body, BoxError, Drained, Faults, GovernLayer, GovernSettings, Governor, NotWhole,
        PlainText, Problem, Render, ServeOptions, Settings as UpstreamSettings, Target, Upstream,
        Work, Worker, collect, listeners, run_workers, serve, stack,
    },
    rules::{FreshFor, Mode, OnLookupFailure, Policy, RuleId, Toggle},
    sessions::{Sessions, Settings as SessionSettings},
};
