//! HTTP/2 to upstream, where upstream chooses it by ALPN.
//!
//! ```text
//!   call ─ Carriers ─┬─ Call, a place on a Connection ─ Driver ─▶ upstream, over HTTP/2
//!                    └─ a connection of its own ───────────────▶ upstream, over HTTP/1.1
//! ```
//! A worker's calls share few connections (`connections`). What always holds:
//!
//! - **Nothing is sent twice.** A call is sent again, once and over another connection, only if
//!   upstream has said that it did not process it (`exchange`), and only if its body is whole.
//!   Everything else that was begun ends as it ends. hyper says what was never begun, as with
//!   HTTP/1.1. One task for each connection makes sure that these answers are true (`driver`).
//! - **No call begins on a connection over which nothing was heard.** Upstream's SETTINGS are part
//!   of connecting, within the same time-out. They also say how many calls may share it.
//! - **Half an answer never looks whole.** Only the end of the stream ends it (`Body`).
//! - **One call holds up no other.** A connection's window has room for the answers of all callers
//!   that take nothing. A call that ends early resets its stream, and the connection goes on.
//! - **A dead connection is noticed.** A PING asks after a silence, with or without a call.
//!
//! What HTTP/2 cannot say goes over HTTP/1.1, over a connection for which ALPN offers only that:
//! upgrades, `OPTIONS *`, and calls that expect a 100, which hyper reports over HTTP/1.1 only.

mod connection;
mod connections;
mod driver;
mod exchange;
mod fields;

pub(super) use connection::{Call, Connection, Keeping};
pub(super) use connections::{Connections, Next};
pub(super) use exchange::{Sent, exchange};
pub(super) use fields::can_carry;
