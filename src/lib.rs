//! Weir: a reverse proxy that keeps payment sources in order.
//!
//! It stands between a merchant and a payments API. A call that would break one of the vendor's
//! rules for payment sources is refused at once in the vendor's own words, put in order, or only
//! reported, as the policy says. All other calls pass untouched.
//!
//! # The house
//! One verb per room. A request goes from left to right, and each step belongs to one room:
//!
//! ```text
//! request ─ serve ─ classify ─ read ─ [ in the session's turn: next ─ perform ─ learn ] ─ respond
//!           edge    dialects  dialects                         rules   govern    sessions
//! ```
//!
//! | room | verb | may use |
//! |---|---|---|
//! | `rules` | decides | nothing |
//! | `dialects` | translate | `rules` |
//! | `sessions` | remember | `rules`, `metrics` |
//! | `http` | carries | nothing |
//! | `metrics` | counts | nothing |
//! | `traces` | follow | `http`, `metrics` |
//! | `edge` | accepts | `http`, `metrics` |
//! | `upstream` | forwards | `http`, `metrics` |
//! | `govern` | orders | `rules`, `dialects`, `sessions`, `http`, `observe`, `metrics`, `traces` |
//! | `observe` | reports | `rules`, `metrics` |
//! | `stack` | stacks | `edge`, `govern`, `upstream`, `http`, `dialects`, `metrics`, `traces` |
//! | `config` | reads | `rules` |
//! | `admin` | shows | `rules`, `sessions`, `govern`, `observe`, `edge`, `http`, `metrics` |
//! | `emulator` | pretends | nothing |
//! | `cli` | starts | all |
//!
//! `docs/architecture.md` is the map. A test reads the sources and holds them to this table.
//!
//! # What always holds
//! - A refusal rests on what upstream has said, and recently. Where Weir does not know, it asks, or
//!   lets upstream judge. One rule, `lost-credit`, may rest on what was seen last.
//! - What upstream has not shown to a caller, that caller cannot learn from Weir.
//! - Calls that change one session go up one at a time, from the decision to the learned answer.
//!   Different sessions never wait for each other.
//! - What has begun upstream is finished and learned, whether or not its caller stays. Nothing is
//!   sent twice.
//! - A record changes only by what upstream answered. An outcome that is not known is looked up
//!   before the next decision.
//! - Upstream's bytes are never changed. Weir adds headers of its own.
//! - Keys, tokens, card data and client secrets are neither kept nor logged; credentials are
//!   remembered as keyed hashes.
//!
//! # Using the library
//! [`GovernLayer`] mounts in any tower service before any client that takes [`Body`];
//! `examples/axum.rs` does it in axum. [`stack()`] is the whole proxy as one service, and
//! [`run_workers`] serves it. [`policy()`] is the policy to start from.
//!
//! # Features
//! - `emulator`: the payments API for tests.
//! - `cli`: the program `weir`, its configuration and its log.
//! - `aws-lc-rs`: the cryptography of TLS.
//! - `ring`: the same from ring, where `aws-lc-rs` is off.
//! - `otlp`: the program sends traces to an OpenTelemetry collector.
//!
//! All but `ring` and `otlp` are on by default; a service that only mounts the layer needs one
//! cryptography, and neither program nor emulator. Without any cryptography nothing is built.

pub(crate) mod admin;
#[cfg(feature = "cli")]
pub(crate) mod cli;
#[cfg(feature = "cli")]
pub(crate) mod config;
pub(crate) mod dialects;
pub(crate) mod edge;
#[cfg(feature = "emulator")]
pub(crate) mod emulator;
pub(crate) mod govern;
pub(crate) mod http;
pub(crate) mod metrics;
pub(crate) mod observe;
pub(crate) mod rules;
pub(crate) mod sessions;
pub(crate) mod stack;
#[cfg(feature = "otlp")]
pub(crate) mod traces;
pub(crate) mod upstream;

#[cfg(feature = "cli")]
pub use crate::edge::listeners;
#[cfg(feature = "emulator")]
pub use crate::emulator::Emulator;
pub use crate::{
    dialects::policy,
    edge::{
        Bounds, Drained, Later, Listener, OpenListener, ProxyPeers, Pulses, ServeLimits,
        ServeOptions, Tls, TlsFileError, TlsFiles, Worker, run_workers, serve,
    },
    govern::{
        Client, Govern, GovernLayer, GovernSettings, Governor, OpenCall, Overridden, OverrideError,
        UpstreamKey,
    },
    http::{Body, Chain, Problem, ProxyError, UpstreamError},
    metrics::Metrics,
    observe::{Decided, Decision, Is, Judged, ReplayError, Replayed, replay},
    rules::{
        FreshFor, LookUps, Mode, OnLookupFailure, Override, Policy, RuleId, Sequencing, Toggle,
    },
    sessions::{Sessions, Settings as SessionSettings},
    stack::stack,
    upstream::{
        ClientIdentity, HygieneLayer, OtherWay, Roots, Target, Upstream, UpstreamProxy,
        UpstreamSettings,
    },
};

/// Runs the program `weir` with the arguments and variables of this process.
#[cfg(feature = "cli")]
pub fn main() -> std::process::ExitCode {
    cli::main()
}

/// All rooms, for the project's own tests and benches: no part of the library's interface.
#[doc(hidden)]
pub mod internals {
    pub mod admin {
        pub use crate::admin::*;
    }
    #[cfg(feature = "cli")]
    pub mod config {
        pub use crate::config::check_text;
    }
    pub mod dialects {
        pub use crate::dialects::*;
    }
    pub mod edge {
        pub use crate::edge::*;
    }
    #[cfg(feature = "emulator")]
    pub mod emulator {
        pub use crate::emulator::*;
    }
    pub mod http {
        pub use crate::http::*;
    }
    pub mod rules {
        pub use crate::rules::*;
    }
    pub mod sessions {
        pub use crate::sessions::*;
    }
}
