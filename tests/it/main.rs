//! End-to-end tests: the program and its library from the outside. One binary, so that it links once.

mod ambiguity;
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
mod program;
mod proxying;
mod purchase;
mod readme;
mod remedies;
mod truth;
mod window;
