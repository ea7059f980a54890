//! The integration tests: one binary, real sockets, port 0.

mod proxying;
