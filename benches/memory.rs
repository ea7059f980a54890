//! Measures the memory that a remembered session takes: writes a million typical records and prints
//! bytes per session, with keys, the cache's book-keeping and the allocator's rounding. Run with
//! `cargo bench --bench memory`, with `-- 100000` for another number.
//!
//! A typical record is a checkout with two sources and a payment session, all named by UUIDs, and
//! seen by one credential.

#![allow(missing_docs, reason = "a program")]

use std::{fs, process::ExitCode, time::Instant};
use weir::internals::{
    dialects::checkouts,
    rules::{
        CredentialHash, SessionFacts, SessionKey, SessionObservation, SessionState, SourceFacts,
        Stated, Timestamp,
    },
    sessions::{Sessions, Settings},
};

fn main() -> ExitCode {
    let sessions = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(1_000_000_u64);
    let Some(before) = resident() else {
        println!("memory: /proc/self/status is not there: nothing to read the size from");
        return ExitCode::SUCCESS;
    };
    let (store, began) = (
        Sessions::in_memory(Settings { capacity: sessions, ..Settings::default() }),
        Instant::now(),
    );
    let policy = weir::internals::dialects::policy();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        for number in 0..sessions {
            for observation in observations(&store, number) {
                let now = Timestamp(1_760_000_000_000 + number);
                let change = |record: &mut weir::internals::rules::SessionRecord| {
                    record.apply(&observation, &policy, now)
                };
                store.update_session(&key(number), change).await.expect("memory takes it");
            }
        }
    });
    store.run_pending_tasks();
    let (grown, count) = (resident().unwrap_or(before).saturating_sub(before), store.count());
    println!(
        "memory: {count} sessions, {grown} bytes, {} bytes per session, filled in {:?}",
        grown / count.max(1),
        began.elapsed()
    );
    ExitCode::SUCCESS
}

/// Returns how many bytes of this process are in memory.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

fn key(number: u64) -> SessionKey {
    SessionKey::new(checkouts::CHECKOUT, uuid(number, 0))
}

/// Returns an id that spreads in a cache as a real one does.
fn uuid(number: u64, salt: u64) -> String {
    let [high, low] = [1, 2].map(|half| {
        (number * 4 + salt + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.rotate_left(half))
    });
    let digits = format!("{high:016x}{low:016x}");
    format!(
        "{}-{}-{}-{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..]
    )
}

fn observations(store: &Sessions, number: u64) -> [SessionObservation; 2] {
    let source = |salt, kind: &str, amount: &str| SourceFacts {
        kind: Stated::Stated(kind.into()),
        amount: amount.parse().ok().into(),
        ..SourceFacts::named(uuid(number, salt))
    };
    let facts = SessionFacts {
        sources: Stated::Stated(vec![
            source(1, "customerCredit", "11.00"),
            source(2, "creditCard", "115.89"),
        ]),
        total: "126.89".parse().ok().into(),
        remaining: "0".parse().ok().into(),
        currency: "USD".parse().ok().into(),
        state: Stated::Stated(SessionState::RequiresConfirmation),
        customer: Stated::Stated(None),
        payment_session: Stated::Stated(uuid(number, 3).into()),
        ..SessionFacts::default()
    };
    let caller: CredentialHash = store.hash(&(number % 4).to_le_bytes());
    [SessionObservation::LookedUp(Box::new(facts)), SessionObservation::ShownTo(caller)]
}
