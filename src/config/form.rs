//! How a value is written: in a file, on the command line, in the environment, and in the schema.
//!
//! In: a TOML value, or the text of a flag or a variable. Out: the validated value, or what is
//! wrong with it and what to write instead.

mod address;
mod base;
mod choice;
mod listen_on;
mod log_to;
mod number;
mod one_of;
mod peers;
mod proxy;
mod size;
mod text;
mod time;

pub(crate) use address::read_address;
pub(super) use address::{address_or_off, probes_or_off};
pub(super) use base::{Complaint, Form, kind};
pub(super) use choice::{Choice, Switch, ToggleForm};
pub(crate) use listen_on::ListenAddress;
pub(super) use listen_on::{FileMode, ListenOn};
pub(crate) use log_to::LogTo;
pub(super) use log_to::LogToForm;
pub(super) use number::{Whole, automatic, workers};
pub(crate) use peers::PeerName;
pub(super) use peers::Peers;
pub(super) use proxy::Proxy;
pub(crate) use proxy::ProxyChoice;
pub(super) use size::{Size, size_or_off};
pub(super) use text::{Collector, File, Files, Hosts, Names, Url};
pub(super) use time::{Duration, duration_or_forever};
