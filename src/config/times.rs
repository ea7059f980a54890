//! Cross-checks of time limits: of two that are valid alone, one may make the other useless.
//!
//! In: the values and where they stand. Out: warnings. A key that could not be read is not judged
//! again.

use super::{
    problem::{Place, Problem},
    read::Reading,
    values::Config,
};

pub(super) fn check(config: &Config, reading: &mut Reading) {
    let found = [connecting(config, reading), call(config, reading)];
    for problem in found.into_iter().flatten() {
        reading.problems.push(problem);
    }
}

fn is_readable(reading: &Reading, keys: &[&str]) -> bool {
    keys.iter().all(|key| !reading.broken.contains(*key))
}

/// Warns where connecting may take longer than an answer.
fn connecting(config: &Config, reading: &Reading) -> Option<Problem> {
    // The built-in value is nobody's mistake.
    let place = reading.places.get("upstream.connect-timeout")?;
    let is_long = is_readable(reading, &["upstream.timeout", "upstream.connect-timeout"])
        && config.upstream.connect_timeout > config.upstream.timeout;
    let message = "`connect-timeout` is longer than `timeout`";
    let problem = Problem::warning(place.clone(), message).about("upstream.connect-timeout");
    let instead = "connecting has its own time-out, which comes before `timeout`";
    is_long.then(|| problem.suggest(instead))
}

/// Warns where a call ends before upstream may have answered it.
fn call(config: &Config, reading: &Reading) -> Option<Problem> {
    let keys = ["limits.call", "upstream.timeout"];
    let is_short = is_readable(reading, &keys) && config.limits.call <= config.upstream.timeout;
    let place = keys.iter().find_map(|key| reading.places.get(*key)).cloned();
    let message = "`limits.call` is not longer than `upstream.timeout`";
    let problem = Problem::warning(place.unwrap_or(Place::Nowhere), message).about("limits.call");
    let instead = "a call gets 504 before upstream's answer may come: raise `limits.call`, or \
                   lower `timeout` in [upstream]";
    is_short.then(|| problem.suggest(instead))
}
