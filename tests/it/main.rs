//! End-to-end tests: the program and its library from the outside. One binary, so that it links
//! once.

mod admin;
mod ambiguity;
mod arrows;
mod carts_rules;
mod checkouts_rules;
mod cli;
mod concurrency;
mod deferring;
mod dev;
mod differential;
mod house;
mod indoors;
mod layer;
mod monitoring;
mod program;
mod proxying;
mod purchase;
mod readme;
mod remedies;
mod tenants;
mod traps;
mod truth;
mod upstream_misbehaves;
mod window;
