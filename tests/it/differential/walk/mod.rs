//! Walks: random calls through Weir to one vendor, under any policy and any circumstances.
//!
//! The vendor is asked what is right. A call that Weir refused is made once more past Weir: the
//! vendor must refuse it as well, in the same words. A call that went up has the vendor's answer,
//! byte for byte. No order loses store credit, and no stranger changes or delays what others see.
//!
//! A walk is known by its kind, a seed and its number, so that each can be made again alone.

mod carts;
mod checkouts;
mod circumstances;
mod form;
mod judge;
mod line;
mod rig;
mod strangers;
mod tally;
mod tokens;

pub(crate) use tally::{Section, Tally};

use proptest::{
    prelude::Strategy,
    strategy::BoxedStrategy,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};
use std::{cell::RefCell, fmt::Debug};
use tokio::{
    runtime::{Builder, Runtime},
    task::LocalSet,
};
use weir::internals::sessions::now;

/// How often each kind is walked in a hundred walks.
const SHARES: [(&str, u64); 3] = [("checkouts", 40), ("carts", 50), ("strangers", 10)];

/// One kind of walk.
pub(crate) trait Walk {
    /// Walks one sequence.
    ///
    /// # Errors
    /// Fails where something does not hold that must; the text shows the shortest sequence.
    fn walk(&self, seed: u64, number: u64, tally: &RefCell<Tally>) -> Result<(), String>;
}

/// Returns the kinds, with the share of each.
pub(crate) fn kinds() -> [(&'static str, u64, Box<dyn Walk>); 3] {
    let walks: [Box<dyn Walk>; 3] = [
        Box::new(Generated { strategy: checkouts::case().boxed(), run: checkouts::run }),
        Box::new(Generated { strategy: carts::case().boxed(), run: carts::run }),
        Box::new(Generated { strategy: strangers::case().boxed(), run: strangers::run }),
    ];
    let mut walks = walks.into_iter();
    SHARES.map(|(name, share)| (name, share, walks.next().expect("a walk of each kind")))
}

struct Generated<C> {
    strategy: BoxedStrategy<C>,
    run: fn(&C, &mut Tally) -> Result<(), String>,
}

impl<C: Debug> Walk for Generated<C> {
    fn walk(&self, seed: u64, number: u64, tally: &RefCell<Tally>) -> Result<(), String> {
        let mut start = [0; 32];
        start[..8].copy_from_slice(&seed.to_le_bytes());
        start[8..16].copy_from_slice(&number.to_le_bytes());
        let config =
            Config { failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &start);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let tree = self.strategy.new_tree(&mut runner).map_err(|reason| reason.to_string())?;
        let walked = runner.run_one(tree, |case| {
            (self.run)(&case, &mut tally.borrow_mut()).map_err(TestCaseError::fail)
        });
        match walked {
            Ok(_) => Ok(()),
            Err(TestError::Fail(reason, case)) => {
                Err(format!("number {number} of seed {seed}: {reason}\n{case:#?}"))
            }
            Err(TestError::Abort(reason)) => Err(reason.to_string()),
        }
    }
}

/// Runs one sequence on this thread's runtime, whose clock is wound forward when all else waits.
fn on_this_thread<T>(walk: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: Runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
    }
    RUNTIME.with(|runtime| LocalSet::new().block_on(runtime, walk))
}

/// Lets a millisecond pass, so that what Weir learned before is older than what it looks up next:
/// it dates facts by milliseconds, and by another clock than the paused one.
fn next_millisecond() {
    let before = now();
    while now() == before {
        std::thread::yield_now();
    }
}

/// Fails the walk with this text unless something holds.
macro_rules! ensure {
    ($holds:expr, $($text:tt)+) => {
        if !$holds {
            return Err(format!($($text)+));
        }
    };
}
use ensure;
