//! Measures what remembering costs a call: one change of a record, one turn taken and given back,
//! and a governed call's turn with its record, written twice.

#![allow(missing_docs, reason = "a program")]

use criterion::{Criterion, criterion_group, criterion_main};
use std::sync::Arc;
use weir::internals::{
    dialects::checkouts,
    rules::{
        SessionFacts, SessionKey, SessionObservation, SessionState, SourceFacts, Stated, Timestamp,
    },
    sessions::{Priority, Sessions, Settings, TurnKey},
};

fn facts() -> SessionFacts {
    let source = |id: &str, kind: &str, amount: &str| SourceFacts {
        kind: Stated::Stated(kind.into()),
        amount: amount.parse().ok().into(),
        ..SourceFacts::named(id)
    };
    SessionFacts {
        sources: Stated::Stated(vec![
            source("0f8fad5b-d9cb-469f-a165-70867728950e", "customerCredit", "11.00"),
            source("7c9e6679-7425-40de-944b-e07fc1f90ae7", "creditCard", "115.89"),
        ]),
        total: "126.89".parse().ok().into(),
        remaining: "0".parse().ok().into(),
        currency: "USD".parse().ok().into(),
        state: Stated::Stated(SessionState::RequiresConfirmation),
        payment_session: Stated::Stated("3f333df6-90a4-4fda-8dd3-9485d27cee36".into()),
        ..SessionFacts::default()
    }
}

fn remember(criterion: &mut Criterion) {
    let sessions = Sessions::in_memory(Settings::default());
    let key = SessionKey::new(checkouts::CHECKOUT, "550e8400-e29b-41d4-a716-446655440000");
    let turn = TurnKey::Session(key.clone());
    let (policy, shown) = (
        Arc::new(weir::internals::dialects::policy()),
        SessionObservation::LookedUp(Box::new(facts())),
    );
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let mut now = 1_760_000_000_000;
    criterion.bench_function("sessions/update", |bench| {
        bench.iter(|| {
            now += 1;
            let change = |record: &mut weir::internals::rules::SessionRecord| {
                record.apply(&shown, &policy, Timestamp(now))
            };
            runtime.block_on(sessions.update_session(&key, change))
        });
    });
    criterion.bench_function("sessions/recall", |bench| {
        bench.iter(|| runtime.block_on(sessions.session(&key)))
    });
    criterion.bench_function("sessions/turn", |bench| {
        bench.iter(|| runtime.block_on(sessions.guard(&turn, Priority::Ordinary)));
    });
    criterion.bench_function("sessions/a governed call", |bench| {
        bench.iter(|| {
            now += 1;
            runtime.block_on(async {
                let mut turn = sessions.turn(&key, &[], Priority::Ordinary).await.expect("a turn");
                turn.apply(SessionObservation::Begun, &policy, Timestamp(now));
                turn.write().await.expect("memory takes it");
                turn.apply(shown.clone(), &policy, Timestamp(now));
                turn.write().await.expect("memory takes it");
            })
        });
    });
}

criterion_group!(benches, remember);
criterion_main!(benches);
