//! Tests that take more than one part of a dialect.

mod outgoing;
mod refusal_bodies;
