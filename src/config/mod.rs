//! Reads what an operator writes.
//!
//! ```text
//!   flags > environment > file > built-in values ── load ─┬▶ Config (with a rules::Policy)
//!                                                         └▶ or every Problem at once
//! ```
//! One walk over the keys (`keys.rs`) serves reading, overriding, the schema and showing. Loading
//! opens the named files and changes nothing, so that a reload is a second load. Deliberately
//! absent: acting on any of it.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used))]

mod callers_tls;
mod checks;
mod did_you_mean;
mod form;
mod itself;
mod key;
mod keys;
mod load;
mod origin;
mod overrides;
mod paths;
mod policy;
mod problem;
mod proxy_url;
mod read;
mod schema;
mod sections;
mod show;
mod source_text;
mod sources;
mod syntax;
#[cfg(test)]
mod tests;
mod times;
mod token;
mod upstream_url;
mod values;
mod way;

pub(crate) use form::{ListenAddress, LogTo, PeerName, ProxyChoice, read_address};
pub(crate) use itself::is_itself;
pub(crate) use key::{KEY_VARIABLE, Secret};
pub(crate) use load::Loaded;
pub(crate) use origin::Origin;
pub(crate) use overrides::{OVERRIDES, Override};
pub(crate) use problem::{Problems, Severity};
pub(crate) use schema::schema;
#[cfg(feature = "otlp")]
pub(crate) use sections::Otlp;
pub(crate) use sections::{
    ClientCertificates, DecisionLog, Format, Http2, Level, Limits, Listen, Log, Roots,
};
pub(crate) use sources::{Purpose, Sources};
pub(crate) use upstream_url::UpstreamUrl;
pub(crate) use values::Config;
pub(crate) use way::{Way, is_of_the_way, way};

/// Reads the text of a file and opens no other; returns how much is wrong. For fuzzing.
pub fn check_text(text: &str, policy: crate::rules::Policy) -> usize {
    let source = source_text::SourceText::new("fuzzed".as_ref(), text.to_owned());
    let mut config = Config::built_in(policy);
    let problems = read::read(&source, &mut config).problems;
    if problems.is_empty() { 0 } else { problems.to_string().lines().count() }
}
