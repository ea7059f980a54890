//! End-to-end tests: the program and its library from the outside. One binary, so that it links
//! once. What they are set up with is in `testbed`.

mod admin;
mod ambiguity;
mod budget;
mod carts_rules;
mod checkouts_rules;
mod cli;
#[cfg(unix)]
mod clients;
mod concurrency;
mod decision_log;
mod deferring;
mod dev;
mod differential;
mod emulator;
#[cfg(unix)]
mod handing_over;
mod layer;
mod layout;
#[cfg(unix)]
mod live;
mod log_file;
mod lost_credit;
mod metrics;
mod monitoring;
mod operating;
#[cfg(feature = "otlp")]
mod otlp;
mod overlapping;
mod packaging;
mod probes;
mod probing;
mod proxying;
mod purchase;
mod readme;
#[cfg(unix)]
mod reloading;
mod remedies;
mod replaying;
mod requests;
mod running;
mod stopping;
mod store;
mod store_failing;
mod tenants;
mod testbed;
mod traces;
mod traps;
mod truth;
#[cfg(unix)]
mod unix_sockets;
mod unjudged;
mod upstream_misbehaves;
mod window;
