//! Runtimes and settings for random cases, and waiting without sleep.

use proptest::test_runner::{Config, RngSeed};
use std::env;
use tokio::{runtime::Builder, task::yield_now};

/// So many random cases from a seed that stays the same, unless `PROPTEST_CASES` or
/// `PROPTEST_RNG_SEED` say otherwise.
pub(crate) fn cases(usual: u32) -> Config {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if env::var_os("PROPTEST_CASES").is_none() {
        config.cases = usual;
    }
    if env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(20_260_601);
    }
    config
}

/// Runs one case on a runtime of its own.
pub(crate) fn on_a_runtime<T>(case: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(case)
}

/// Runs one case on a runtime of its own, whose clock is wound forward when all else waits.
pub(crate) fn on_a_paused_runtime<T>(case: impl Future<Output = T>) -> T {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().expect("a runtime").block_on(case)
}

/// Lets others run until this is so.
pub(crate) async fn until(mut reached: impl FnMut() -> bool) {
    while !reached() {
        yield_now().await;
    }
}
