//! Tests that take more than one part of a dialect.

mod bending;
mod outgoing;
mod refusal_bodies;
