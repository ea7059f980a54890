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
//!   request ─ serve ─ classify ─ read ─ [ session's turn: recall ─ decide ─ act ─ learn ] ─ respond
//!             edge    dialects  dialects                sessions   rules  govern  dialects, sessions
//! ```
//!
//! | room | verb | may use |
//! |---|---|---|
//! | [`rules`] | decides: vocabulary, the rules, one pure function from what is known to a verdict | nothing |
//! | [`dialects`] | translate: requests to intents, answers to facts, refusals to the vendor's words | `rules` |
//! | [`sessions`] | remember: records, turns, shared look-ups | `rules` |
//! | [`http`] | carries: the one body type, headers, the closed set of problems | nothing |
//! | [`edge`] | accepts: listeners, workers, limits, drain, faults to answers | `http` |
//! | [`upstream`] | forwards: one exchange, connections, header hygiene, upgrades | `http` |
//! | [`govern`] | keeps order: the layer that holds callers to the rules | `rules`, `dialects`, `sessions`, `http`, `observe` |
//! | [`observe`] | reports: decisions, and the log: lines for people or JSON for programs | `rules`, `dialects` |
//! | [`stack`] | the whole proxy as one service, one line a layer | `edge`, `govern`, `upstream`, `http`, `dialects` |
//! | [`config`] | reads: files, flags and variables to values, every problem with its place | `rules` |
//! | [`admin`] | shows: sessions, decisions, rules, configuration | `rules`, `sessions`, `govern`, `observe`, `edge`, `http` |
//! | [`emulator`] | pretends: the vendor, written from its own pages | nothing |
//! | [`cli`] | starts: one file per subcommand | all |
//!
//! # What always holds
//! - A refusal rests on what upstream has said, and recently. Where Weir does not know, it asks, or
//!   lets upstream judge.
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
//! The program uses nothing that is not here. [`govern::GovernLayer`] mounts in any tower service
//! before any client that takes [`Body`]; `examples/axum.rs` does it in axum.
//! [`stack()`] is the whole proxy as one service, [`edge::run_workers`] serves it.
//! [`rules::decide`] needs neither network nor clock, and [`emulator::Emulator`] is a payments API
//! for tests.
//!
//! # Features
//! - `emulator`: the payments API for tests.
//! - `cli`: the program `weir`, its configuration and its log.
//!
//! Both are on by default; a service that only mounts the layer needs neither.
//!
//! [`http`]: mod@crate::http
//! [`stack`]: mod@stack

pub mod admin;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod config;
pub mod dialects;
pub mod edge;
#[cfg(feature = "emulator")]
pub mod emulator;
pub mod govern;
pub mod http;
pub mod observe;
pub mod rules;
pub mod sessions;
pub mod stack;
pub mod upstream;

#[cfg(feature = "cli")]
pub use crate::edge::listeners;
pub use crate::{
    edge::{Drained, ServeOptions, Worker, run_workers, serve},
    govern::{Client, Govern, GovernLayer, GovernSettings, Governor},
    http::{Body, Chain, Problem, UpstreamError},
    stack::stack,
    upstream::{HygieneLayer, Target, Upstream, UpstreamSettings},
};

/// All rooms, for the project's own tests and benches: no part of the library's interface.
#[doc(hidden)]
pub mod internals {
    pub mod admin {
        pub use crate::admin::*;
    }
    #[cfg(feature = "cli")]
    pub mod cli {
        pub use crate::cli::*;
    }
    #[cfg(feature = "cli")]
    pub mod config {
        pub use crate::config::*;
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
    pub mod govern {
        pub use crate::govern::*;
    }
    pub mod http {
        pub use crate::http::*;
    }
    pub mod observe {
        pub use crate::observe::*;
    }
    pub mod rules {
        pub use crate::rules::*;
    }
    pub mod sessions {
        pub use crate::sessions::*;
    }
    pub mod stack {
        pub use crate::stack::*;
    }
    pub mod upstream {
        pub use crate::upstream::*;
    }
}
