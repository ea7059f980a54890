//! Walks random sequences of calls through Weir to the emulator, as many as it is told to, on as
//! many threads as there are cores, without sockets and on a paused clock. Prints what was done,
//! and how often each invariant was looked at. Where one does not hold, prints the shortest
//! sequence that shows it; ends after fifty of these, and exits with 1.
//!
//! Run with `cargo bench --bench sequences`, with `-- 1000000` for a million, with
//! `-- 1000000 SEED` for other ones, with `-- 1 SEED NUMBER` for the one that a failure names. The
//! walks are those of `tests/it/differential/walk`.

#![allow(missing_docs, reason = "a program")]

#[path = "../tests/it/differential/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests use the rest")]
mod differential;
#[path = "../tests/it/testbed/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests use the rest")]
mod testbed;

use differential::walk::{Tally, kinds};
use std::{
    cell::RefCell,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

/// Walks that a thread takes at a time.
const BATCH: u64 = 100;

/// Walks between two lines of progress; a multiple of [`BATCH`].
const REPORT_EVERY: u64 = 50_000;

/// Failures after which nothing more is walked.
const ENOUGH: u64 = 50;

/// How far the walks have come.
struct Progress {
    end: u64,
    seed: u64,
    next: AtomicU64,
    walked: AtomicU64,
    failed: AtomicU64,
    tallies: Mutex<Vec<(&'static str, Tally)>>,
}

fn main() -> ExitCode {
    // `cargo test` only checks that it compiles.
    if !std::env::args().any(|arg| arg == "--bench") {
        return ExitCode::SUCCESS;
    }
    let mut numbers = std::env::args().filter_map(|arg| arg.parse().ok());
    let mut number = |default: u64| numbers.next().unwrap_or(default);
    let (walks, seed, first) = (number(10_000), number(1), number(0));
    let progress = Progress {
        end: first.saturating_add(walks),
        seed,
        next: AtomicU64::new(first),
        walked: AtomicU64::new(0),
        failed: AtomicU64::new(0),
        tallies: Mutex::new(Vec::new()),
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    println!("{walks} sequences from seed {seed}, on {threads} threads");
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| walk_on(&progress));
        }
    });
    report(&progress, begun.elapsed().as_secs_f64())
}

/// Walks until all walks are done, or enough have failed.
fn walk_on(progress: &Progress) {
    let kinds = kinds();
    let tallies = kinds.each_ref().map(|_| RefCell::new(Tally::default()));
    while progress.failed.load(Ordering::Relaxed) < ENOUGH {
        let first = progress.next.fetch_add(BATCH, Ordering::Relaxed);
        if first >= progress.end {
            break;
        }
        for number in first..progress.end.min(first + BATCH) {
            let mut rest = number % 100;
            let at = kinds.iter().position(|(_, share, _)| {
                let is_here = rest < *share;
                rest = rest.saturating_sub(*share);
                is_here
            });
            let at = at.expect("the shares are a hundred");
            let (name, _, walk) = &kinds[at];
            progress.walked.fetch_add(1, Ordering::Relaxed);
            if let Err(e) = walk.walk(progress.seed, number, &tallies[at]) {
                println!("{name}: {e}\n");
                progress.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (walked, failed) =
            (progress.walked.load(Ordering::Relaxed), progress.failed.load(Ordering::Relaxed));
        if first > 0 && first.is_multiple_of(REPORT_EVERY) {
            println!("{walked} walked, {failed} of them failed");
        }
    }
    let mut all = progress.tallies.lock().expect("no thread has panicked");
    all.extend(kinds.iter().zip(tallies).map(|((name, ..), tally)| (*name, tally.into_inner())));
}

fn report(progress: &Progress, seconds: f64) -> ExitCode {
    let all = progress.tallies.lock().expect("no thread has panicked");
    for (name, ..) in kinds() {
        let mut sum = Tally::default();
        all.iter().filter(|(of, _)| *of == name).for_each(|(_, tally)| sum += tally);
        println!("{name}\n{sum}");
    }
    let failed = progress.failed.load(Ordering::Relaxed);
    let walked = progress.walked.load(Ordering::Relaxed);
    let held = walked - failed;
    println!("{held} sequences held, {failed} did not, in {seconds:.0} s");
    println!("{:.0} sequences per second", walked as f64 / seconds);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
