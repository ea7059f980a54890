//! End-to-end tests: the program and its library from the outside. One binary, so that it links once.

mod cli;
mod differential;
mod house;
mod indoors;
mod proxying;
mod purchase;
mod remedies;
