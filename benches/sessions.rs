//! What remembering costs a call: one change of a record, one turn taken and given back, and both
//! as a governed call does them.

#![allow(missing_docs, reason = "a program")]

use criterion::{Criterion, criterion_group, criterion_main};
use weir::dialects::checkouts;
use weir::{
    rules::{
        SessionFacts, SessionKey, SessionObservation, SessionState, SourceFacts, Timestamp, Told,
    },
    sessions::{Entry, Sessions, Settings, TurnKey},
};

fn facts() -> SessionFacts {
    let source = |id: &str, kind: &str, amount: &str| SourceFacts {
        kind: Told::Told(kind.into()),
        amount: amount.parse().ok().into(),
        ..SourceFacts::named(id)
    };
    SessionFacts {
        sources: Told::Told(vec![
            source("0f8fad5b-d9cb-469f-a165-70867728950e", "customerCredit", "11.00"),
            source("7c9e6679-7425-40de-944b-e07fc1f90ae7", "creditCard", "115.89"),
        ]),
        total: "126.89".parse().ok().into(),
        remaining: "0".parse().ok().into(),
        currency: "USD".parse().ok().into(),
        state: Told::Told(SessionState::RequiresConfirmation),
        payment_session: Told::Told("3f333df6-90a4-4fda-8dd3-9485d27cee36".into()),
        ..SessionFacts::default()
    }
}

fn remember(criterion: &mut Criterion) {
    let sessions = Sessions::in_memory(Settings::default());
    let key = SessionKey::new(checkouts::CHECKOUT, "550e8400-e29b-41d4-a716-446655440000");
    let turn = TurnKey::Session(key.clone());
    let (policy, shown) =
        (weir::dialects::policy(), SessionObservation::LookedUp(Box::new(facts())));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let mut now = 1_760_000_000_000;
    let mut learn = async |observation: &SessionObservation| {
        now += 1;
        let change = |record: &mut weir::rules::SessionRecord| {
            record.apply(observation, &policy, Timestamp(now))
        };
        sessions.update_session(&key, change).await
    };
    criterion.bench_function("sessions/update", |bench| {
        bench.iter(|| runtime.block_on(learn(&shown)));
    });
    criterion.bench_function("sessions/recall", |bench| {
        bench.iter(|| runtime.block_on(sessions.session(&key)))
    });
    criterion.bench_function("sessions/turn", |bench| {
        bench.iter(|| runtime.block_on(sessions.turn(&turn, Entry::Ordinary)));
    });
    criterion.bench_function("sessions/a governed call", |bench| {
        bench.iter(|| {
            runtime.block_on(async {
                let _turn = sessions.turn(&turn, Entry::Ordinary).await;
                let known = sessions.session(&key).await;
                let _begun = learn(&SessionObservation::Begun).await;
                let _ended = learn(&shown).await;
                known
            })
        });
    });
}

criterion_group!(benches, remember);
criterion_main!(benches);
