//! Turns and records: how often the store is asked, and where what is known of a source is.

use crate::{
    dialects::{carts, checkouts},
    rules::{
        CredentialHash, CustomerFacts, CustomerObservation, Effect, Fact, Pending, Policy,
        SessionFacts, SessionKey, SessionObservation, SessionRecord, SourceFacts, SourceId,
        SourceObservation, SourceState, Stated, Timestamp,
    },
    sessions::{
        Change, CredentialKey, CustomerKey, Key, Priority, Probe, Records, Sessions, Settings,
        Store, StoreError, Swapped, Turn, TurnError, TurnKey,
    },
};
use futures_util::FutureExt;
use proptest::prelude::*;
use std::{sync::Arc, time::Duration};

const NOW: Timestamp = Timestamp(1_760_000_000_000);

/// A room whose store is watched.
struct Watched {
    sessions: Sessions,
    store: Store,
    probe: Probe,
    policy: Arc<Policy>,
}

fn watched() -> Watched {
    let (probe, settings) = (Probe::default(), Settings::default());
    let store = Store::in_memory(&settings).probed(&probe);
    let sessions = Sessions::with_store(store.clone(), CredentialKey::random(), settings);
    Watched { sessions, store, probe, policy: Arc::new(crate::dialects::policy()) }
}

impl Watched {
    async fn turn(&self, session: &SessionKey, sources: &[&str]) -> Turn {
        let sources: Vec<SourceId> = sources.iter().copied().map(SourceId::from).collect();
        self.sessions.turn(session, &sources, Priority::Ordinary).await.unwrap()
    }

    /// Teaches that these sources and no others are attached, and what they are.
    async fn attach(&self, session: &SessionKey, sources: &[&str]) {
        let mut turn = self.turn(session, &[]).await;
        turn.apply(holding(sources), &self.policy, NOW);
        for id in sources {
            turn.apply_source(&(*id).into(), shown(card(id)), NOW);
        }
        turn.write().await.unwrap();
    }

    /// How often the store was read and written meanwhile.
    async fn cost<T>(&self, of: impl Future<Output = T>) -> (T, (u64, u64)) {
        let before = (self.probe.reads(), self.probe.writes());
        let done = of.await;
        (done, (self.probe.reads() - before.0, self.probe.writes() - before.1))
    }

    async fn remove(&self, key: Key) {
        let seen = self.store.get(std::slice::from_ref(&key)).await.unwrap().remove(0);
        let made = self.store.swap(&[Change { key, seen, new: None, pin: false }]).await;
        assert_eq!(made, Ok(Swapped::Made));
    }

    async fn members(&self, session: &SessionKey) -> Vec<String> {
        let record = self.sessions.session(session).await.unwrap().unwrap_or_default();
        record.members.iter().map(|(id, _)| id.to_string()).collect()
    }

    async fn state(&self, id: &str) -> Option<SourceState> {
        let record = self.sessions.source(&id.into()).await.unwrap()?;
        record.state.get().cloned()
    }
}

fn checkout() -> SessionKey {
    SessionKey::new(checkouts::CHECKOUT, "1")
}

fn cart() -> SessionKey {
    SessionKey::new(carts::CART, "1")
}

fn card(id: &str) -> SourceFacts {
    SourceFacts {
        kind: Stated::Stated("creditCard".into()),
        reusable: Stated::Stated(false),
        state: Stated::Stated(SourceState::Chargeable),
        ..SourceFacts::named(id)
    }
}

fn shown(facts: SourceFacts) -> SourceObservation {
    SourceObservation::Shown(Box::new(facts))
}

fn facts(sources: &[&str]) -> Box<SessionFacts> {
    let sources = sources.iter().map(|id| card(id)).collect();
    Box::new(SessionFacts { sources: Stated::Stated(sources), ..SessionFacts::default() })
}

fn holding(sources: &[&str]) -> SessionObservation {
    SessionObservation::LookedUp(facts(sources))
}

#[tokio::test]
async fn a_call_on_a_warm_session_reads_once_and_writes_twice() {
    let room = watched();
    room.attach(&checkout(), &["old"]).await;
    let (mut turn, cost) = room.cost(room.turn(&checkout(), &["new"])).await;
    assert_eq!(cost, (1, 0));
    assert_eq!((turn.source(&"old".into()).is_some(), turn.source(&"new".into())), (true, None));

    turn.apply(SessionObservation::Begun, &room.policy, NOW);
    assert_eq!(room.cost(turn.write()).await, (Ok(()), (0, 1)));

    let attached = Effect::Attached(card("new"));
    turn.apply(SessionObservation::Succeeded(attached, facts(&["old", "new"])), &room.policy, NOW);
    for id in ["old", "new"] {
        turn.apply_source(&id.into(), shown(card(id)), NOW);
    }
    assert_eq!(room.cost(turn.write()).await, (Ok(()), (0, 1)));
    assert_eq!(room.cost(turn.write()).await, (Ok(()), (0, 0)));
    drop(turn);

    let (turn, cost) = room.cost(room.turn(&checkout(), &["new"])).await;
    assert_eq!(cost, (1, 0));
    assert_eq!(turn.record().members.len(), 2);
    assert_eq!(turn.source(&"new".into()).unwrap().state.get(), Some(&SourceState::Chargeable));
}

#[tokio::test]
async fn a_read_that_teaches_reads_once_and_writes_once() {
    let room = watched();
    let customer = CustomerKey { caller: CredentialHash([1; 16]), id: "c".into() };
    let (session, saved) = (checkout(), ["a".into(), "b".into()]);
    let read = room.sessions.records(Some(&session), &saved, Some(&customer));
    let (records, cost) = room.cost(read).await;
    let mut records: Records = records.unwrap();
    assert_eq!((cost, records.session(), records.customer()), ((1, 0), None, None));

    records.apply(holding(&["a"]), &room.policy, NOW);
    let saved = Stated::Stated(vec![card("a"), card("b")]);
    let facts = CustomerFacts { id: None, saved };
    records.apply_customer(CustomerObservation::Shown(Box::new(facts)), NOW);
    for id in ["a", "b"] {
        records.apply_source(&id.into(), shown(card(id)), NOW);
    }
    assert_eq!(room.cost(records.write()).await, (Ok(()), (0, 1)));
    assert_eq!(room.members(&checkout()).await, ["a"]);
    assert_eq!(room.state("b").await, Some(SourceState::Chargeable));
    let customer = room.sessions.customer(&customer).await.unwrap().unwrap();
    assert_eq!(customer.saved.get().map(Vec::len), Some(2));
}

#[tokio::test]
async fn what_others_learn_of_an_attached_source_is_taught_to_its_session() {
    let room = watched();
    room.attach(&checkout(), &["p"]).await;
    let saved = SourceObservation::Saved(Some("c".into()));
    room.sessions.update_source(&"p".into(), |record| record.apply(&saved, NOW)).await.unwrap();
    let turn = room.turn(&checkout(), &[]).await;
    assert_eq!(turn.source(&"p".into()).unwrap().reusable, Fact::Known(true, NOW));
    assert_eq!(room.sessions.source(&"p".into()).await, Ok(turn.source(&"p".into()).cloned()));
}

#[tokio::test]
async fn a_source_that_leaves_takes_along_what_was_inferred() {
    let room = watched();
    for effect in
        [Effect::Detached("p".into()), Effect::DetachedAll, Effect::Ordered, Effect::Deleted]
    {
        room.attach(&checkout(), &["p", "q"]).await;
        let mut turn = room.turn(&checkout(), &[]).await;
        turn.apply(SessionObservation::Begun, &room.policy, NOW);
        let done = SessionObservation::Succeeded(effect.clone(), Box::default());
        turn.apply(done, &room.policy, NOW);
        turn.apply_source(&"p".into(), SourceObservation::Removed, NOW);
        assert_eq!(room.cost(turn.write()).await, (Ok(()), (0, 1)), "{effect:?}");
        drop(turn);
        assert!(!room.members(&checkout()).await.contains(&"p".to_owned()), "{effect:?}");
        assert_eq!(room.state("p").await, Some(SourceState::Cancelled), "{effect:?}");
        assert_eq!(room.state("q").await, Some(SourceState::Chargeable), "{effect:?}");
    }
}

#[tokio::test]
async fn a_source_of_two_sessions_is_known_in_one_place_and_to_both() {
    let room = watched();
    room.attach(&checkout(), &["p"]).await;
    room.attach(&cart(), &["p"]).await;
    assert_eq!(room.members(&checkout()).await, ["p"]);
    assert_eq!(room.members(&cart()).await, [""; 0]);

    let (mut turn, cost) = room.cost(room.turn(&cart(), &[])).await;
    assert_eq!(cost, (3, 0), "the cart, the pointer, the other session");
    turn.apply_source(&"p".into(), SourceObservation::Removed, NOW);
    assert_eq!(room.cost(turn.write()).await, (Ok(()), (0, 1)));
    drop(turn);
    let turn = room.turn(&checkout(), &[]).await;
    assert_eq!(turn.source(&"p".into()).unwrap().state.get(), Some(&SourceState::Cancelled));
    drop(turn);

    // It leaves the one, and stays with the other.
    room.attach(&checkout(), &[]).await;
    room.attach(&cart(), &["p"]).await;
    assert_eq!((room.members(&checkout()).await.len(), room.members(&cart()).await.len()), (0, 1));
}

#[tokio::test]
async fn a_pointer_to_a_session_that_is_gone_tells_nothing() {
    let room = watched();
    room.attach(&checkout(), &["p"]).await;
    room.remove(Key::session(&checkout())).await;
    assert_eq!(room.sessions.source(&"p".into()).await, Ok(None));
    room.sessions.update_source(&"p".into(), |record| record.epoch = 3).await.unwrap();
    let source = room.sessions.source(&"p".into()).await.unwrap();
    assert_eq!(source.map(|record| record.epoch), Some(3));
}

#[tokio::test]
async fn a_lost_pointer_is_written_again_with_the_session() {
    let room = watched();
    room.attach(&checkout(), &["p"]).await;
    room.remove(Key::source(&"p".into())).await;
    let mut turn = room.turn(&checkout(), &[]).await;
    turn.apply(SessionObservation::Begun, &room.policy, NOW);
    turn.write().await.unwrap();
    drop(turn);
    assert_eq!(room.state("p").await, Some(SourceState::Chargeable));

    // What was learned of the source since its pointer was lost wins.
    room.remove(Key::source(&"p".into())).await;
    room.sessions.update_source(&"p".into(), |record| record.epoch = 9).await.unwrap();
    let mut turn = room.turn(&checkout(), &["p"]).await;
    assert_eq!(turn.source(&"p".into()).map(|record| record.epoch), Some(9));
    turn.apply(SessionObservation::Refused, &room.policy, NOW);
    turn.write().await.unwrap();
    assert_eq!(room.members(&checkout()).await, ["p"]);
}

#[tokio::test]
async fn what_was_learned_is_applied_again_where_others_came_in_between() {
    let room = watched();
    let stranger = CredentialHash([9; 16]);
    room.attach(&checkout(), &["p"]).await;
    let mut turn = room.turn(&checkout(), &["q"]).await;
    turn.apply(SessionObservation::Begun, &room.policy, NOW);
    turn.apply_source(&"p".into(), shown(card("p")), NOW);
    turn.apply_source(&"p".into(), SourceObservation::ShownTo(stranger), NOW);
    turn.apply_source(&"q".into(), shown(card("q")), NOW);

    let shown_to = SessionObservation::ShownTo(stranger);
    let key = checkout();
    let learn = |record: &mut SessionRecord| record.apply(&shown_to, &room.policy, NOW);
    room.sessions.update_session(&key, learn).await.unwrap();
    let saved = SourceObservation::Saved(None);
    room.sessions.update_source(&"p".into(), |record| record.apply(&saved, NOW)).await.unwrap();

    assert_eq!(room.cost(turn.write()).await, (Ok(()), (1, 2)));
    let record = room.sessions.session(&checkout()).await.unwrap().unwrap();
    assert_eq!((record.epoch, record.in_flight, record.unsure), (1, true, false));
    assert!(record.shown_to.contains(stranger));
    let p = record.member(&"p".into()).unwrap();
    assert_eq!(p.reusable.get(), Some(&true), "what was read before it was saved is outdated");
    assert!(p.shown_to.contains(stranger));
    assert_eq!(room.state("q").await, Some(SourceState::Chargeable));
}

#[tokio::test]
async fn a_call_that_stepped_aside_reads_what_the_others_did() {
    let room = watched();
    let turn = room.turn(&checkout(), &["p"]).await;
    let held = turn.hold(Duration::from_secs(1));
    let key = checkout();
    let overtaking = room.sessions.turn(&key, &[], Priority::Overtaking);
    let mut overtaking = overtaking.await.unwrap();
    overtaking.apply(holding(&["credit"]), &room.policy, NOW);
    overtaking.apply_source(&"credit".into(), shown(card("credit")), NOW);
    overtaking.write().await.unwrap();
    drop(overtaking);
    room.sessions.release_held(&TurnKey::Session(checkout()));
    let (turn, cost) = room.cost(held.wait()).await;
    assert_eq!(cost, (1, 0));
    assert!(turn.unwrap().source(&"credit".into()).is_some());
}

#[tokio::test]
async fn a_store_that_fails_is_never_as_good_as_an_empty_one() {
    let room = watched();
    let (caller, customer) =
        (CredentialHash([1; 16]), CustomerKey { caller: CredentialHash([1; 16]), id: "c".into() });
    room.attach(&checkout(), &["p"]).await;
    let mut turn = room.turn(&checkout(), &[]).await;

    room.probe.fail_reads_after(0, u64::MAX);
    let sessions = &room.sessions;
    assert_eq!(sessions.session(&checkout()).await, Err(StoreError::Unavailable));
    assert_eq!(sessions.source(&"p".into()).await, Err(StoreError::Unavailable));
    assert_eq!(sessions.customer(&customer).await, Err(StoreError::Unavailable));
    assert_eq!(sessions.active_of(caller).await, Err(StoreError::Unavailable));
    let other = sessions.turn(&cart(), &[], Priority::Ordinary).await;
    assert_eq!(other.err(), Some(TurnError::Store(StoreError::Unavailable)));
    assert_eq!(sessions.turns_open(), 1, "the turn that cannot be read is given back");

    room.probe.heal();
    room.probe.fail_writes_after(0, u64::MAX);
    turn.apply(SessionObservation::Begun, &room.policy, NOW);
    assert_eq!(turn.write().await, Err(StoreError::Unavailable));
    assert_eq!(sessions.set_active(caller, &"1".into()).await, Err(StoreError::Unavailable));
    room.probe.heal();
    turn.write().await.unwrap();
    let record = sessions.session(&checkout()).await.unwrap().unwrap();
    assert!(record.in_flight);
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_and_stays() {
    let room = watched();
    let caller = CredentialHash([1; 16]);
    let customer = CustomerKey { caller, id: "c".into() };
    for key in [
        Key::session(&checkout()),
        Key::source(&"p".into()),
        Key::customer(&customer),
        Key::active(caller),
    ] {
        let new = Some(Arc::from([99, 1, 2, 3]));
        let change = Change { key, seen: None, new, pin: false };
        assert_eq!(room.store.swap(&[change]).await, Ok(Swapped::Made));
    }
    let unreadable = Some(StoreError::Unreadable);
    for _ in 0..2 {
        let sessions = &room.sessions;
        assert_eq!(sessions.session(&checkout()).await.err(), unreadable);
        assert_eq!(sessions.update_session(&checkout(), |_| {}).await.err(), unreadable);
        assert_eq!(sessions.source(&"p".into()).await.err(), unreadable);
        assert_eq!(sessions.update_source(&"p".into(), |_| {}).await.err(), unreadable);
        assert_eq!(sessions.customer(&customer).await.err(), unreadable);
        assert_eq!(sessions.update_customer(&customer, |_| {}).await.err(), unreadable);
        assert_eq!(sessions.active_of(caller).await.err(), unreadable);
        let turn = sessions.turn(&checkout(), &[], Priority::Ordinary).await;
        assert_eq!(turn.err(), Some(TurnError::Store(StoreError::Unreadable)));
    }
}

#[tokio::test]
async fn a_remedy_under_way_keeps_its_session_and_the_facts_of_its_primary() {
    let room = watched();
    let note = Pending::Deferred { primary: "p".into(), since: NOW, sending: false };
    let mut turn = room.turn(&checkout(), &["p"]).await;
    turn.apply_source(&"p".into(), shown(card("p")), NOW);
    turn.apply(SessionObservation::Pending(Some(note)), &room.policy, NOW);
    turn.write().await.unwrap();
    assert_eq!((room.sessions.pinned(), room.members(&checkout()).await), (1, vec!["p".into()]));
    turn.apply(SessionObservation::Pending(None), &room.policy, NOW);
    turn.write().await.unwrap();
    assert_eq!((room.sessions.pinned(), room.members(&checkout()).await.len()), (0, 0));
    assert_eq!(room.state("p").await, Some(SourceState::Chargeable));
}

#[tokio::test]
async fn more_sources_are_read_along_only_where_they_are_not_in_hand() {
    let room = watched();
    room.attach(&checkout(), &["p"]).await;
    room.sessions.update_source(&"q".into(), |record| record.epoch = 4).await.unwrap();
    let mut turn = room.turn(&checkout(), &[]).await;
    turn.apply(SessionObservation::Begun, &room.policy, NOW);
    assert_eq!(room.cost(turn.read_along(&["p".into()])).await, (Ok(()), (0, 0)));
    assert_eq!(room.cost(turn.read_along(&["q".into()])).await, (Ok(()), (1, 0)));
    assert_eq!(turn.source(&"q".into()).map(|record| record.epoch), Some(4));
    assert!(turn.record().in_flight, "what was not written yet is applied again");
}

/// One step of several calls about the same sessions and sources.
#[derive(Clone, Debug)]
enum Step {
    /// A turn that finds these sources attached and changes one; meanwhile another is changed by a
    /// call that has no turn.
    Turn { session: u8, attached: Vec<u8>, changed: u8, meanwhile: Option<u8> },
    /// A call that has no turn changes a source.
    Change(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let source = || 0..4_u8;
    let attached = prop::collection::vec(source(), 0..4);
    let turn = (0..3_u8, attached, source(), prop::option::of(source())).prop_map(
        |(session, attached, changed, meanwhile)| Step::Turn {
            session,
            attached,
            changed,
            meanwhile,
        },
    );
    prop_oneof![4 => turn, 1 => source().prop_map(Step::Change)]
}

async fn run(room: &Watched, step: &Step, counts: &mut [u32; 4]) {
    let id = |source: u8| SourceId::from(source.to_string());
    let change = async |source: u8| {
        room.sessions.update_source(&id(source), |record| record.epoch += 1).await.unwrap();
    };
    match step {
        Step::Change(source) => {
            change(*source).await;
            counts[usize::from(*source)] += 1;
        }
        Step::Turn { session, attached, changed, meanwhile } => {
            let key = SessionKey::new(carts::CART, session.to_string());
            let names: Vec<String> = attached.iter().map(u8::to_string).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let mut turn = room.turn(&key, &[]).await;
            turn.apply(holding(&names), &room.policy, NOW);
            turn.apply_source(&id(*changed), SourceObservation::Saved(None), NOW);
            if let Some(source) = meanwhile {
                change(*source).await;
                counts[usize::from(*source)] += 1;
            }
            turn.write().await.unwrap();
            counts[usize::from(*changed)] += 1;
        }
    }
}

proptest! {
    #[test]
    fn no_change_of_a_source_is_lost_wherever_it_moves(
        steps in prop::collection::vec(step(), 1..25),
    ) {
        let room = watched();
        let mut counts = [0; 4];
        for step in &steps {
            run(&room, step, &mut counts).now_or_never().expect("nothing waits");
            let mut held: Vec<String> = Vec::new();
            for session in 0..3 {
                let key = SessionKey::new(carts::CART, session.to_string());
                let record = room.sessions.session(&key).now_or_never().unwrap().unwrap();
                let record = record.unwrap_or_default();
                prop_assert!(record.members.iter().all(|(id, _)| record.owns(id)));
                held.extend(record.members.iter().map(|(id, _)| id.to_string()));
            }
            let all = held.len();
            held.sort();
            held.dedup();
            prop_assert_eq!(all, held.len(), "a source is in two places");
            for (source, count) in counts.iter().enumerate() {
                let id = SourceId::from(source.to_string());
                let record = room.sessions.source(&id).now_or_never().unwrap().unwrap();
                prop_assert_eq!(record.map_or(0, |record| record.epoch), *count, "{}", source);
            }
        }
    }
}
