//! End-to-end tests: the program and its library from the outside. One binary, so that it links
//! once. What they are set up with is in `testbed`.

mod admin;
mod ambiguity;
mod budget;
mod carts_rules;
mod checkouts_rules;
mod cli;
mod concurrency;
mod decision_log;
mod deferring;
mod dev;
mod differential;
mod emulator;
mod layer;
mod layout;
mod lost_credit;
mod monitoring;
mod overlapping;
mod proxying;
mod purchase;
mod readme;
#[cfg(unix)]
mod reloading;
mod remedies;
mod requests;
mod running;
mod store;
mod store_failing;
mod tenants;
mod testbed;
mod traps;
mod truth;
mod unjudged;
mod upstream_misbehaves;
mod window;
