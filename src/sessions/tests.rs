//! What the room does as a whole.

use super::*;
use crate::{
    dialects::{carts, checkouts},
    rules::{Pending, Timestamp},
};

fn sessions(capacity: u64) -> Sessions {
    Sessions::in_memory(Settings { capacity, deferred_at_most: 2, ..Settings::default() })
}

fn key(kind: SessionKind, id: u32) -> SessionKey {
    SessionKey::new(kind, format!("{id:04}"))
}

fn pend(record: &mut SessionRecord) {
    record.pending = Some(Box::new(Pending::Deferred {
        primary: "card".into(),
        since: Timestamp(1),
        sending: false,
    }));
}

#[tokio::test]
async fn a_record_is_created_by_its_first_change() {
    let (sessions, checkout) = (sessions(10), key(checkouts::CHECKOUT, 1));
    assert_eq!(sessions.session(&checkout).await, Ok(None));
    for epoch in 1..=3 {
        let after = sessions.update_session(&checkout, |record| record.epoch += 1).await.unwrap();
        assert_eq!(after.epoch, epoch);
        assert_eq!(sessions.session(&checkout).await, Ok(Some(after)));
    }
    assert_eq!(sessions.session(&key(checkouts::INVOICE, 1)).await, Ok(None));
}

#[tokio::test]
async fn sources_and_customers_of_one_id_are_different_things_and_customers_each_callers_own() {
    let sessions = sessions(10);
    sessions.update_source(&"1".into(), |source| source.epoch = 1).await.unwrap();
    let key = |caller| CustomerKey { caller: CredentialHash([caller; 16]), id: "1".into() };
    sessions.update_customer(&key(1), |customer| customer.epoch = 2).await.unwrap();
    assert_eq!(sessions.source(&"1".into()).await.unwrap().map(|source| source.epoch), Some(1));
    let customer = sessions.customer(&key(1)).await.unwrap();
    assert_eq!(customer.map(|customer| customer.epoch), Some(2));
    assert_eq!(sessions.customer(&key(2)).await, Ok(None));
}

#[tokio::test]
async fn active_is_another_cart_for_another_credential() {
    let sessions = sessions(10);
    let (one, other) = (sessions.hash(b"token 1"), sessions.hash(b"token 2"));
    sessions.set_active(one, &"5".into()).await.unwrap();
    sessions.set_active(one, &"6".into()).await.unwrap();
    assert_eq!(
        (sessions.active_of(one).await, sessions.active_of(other).await),
        (Ok(Some("6".into())), Ok(None))
    );
    sessions.forget_active(one).await.unwrap();
    assert_eq!(sessions.active_of(one).await, Ok(None));
}

#[tokio::test]
async fn what_is_pending_outlives_any_number_of_other_sessions() {
    let sessions = sessions(10);
    let cart = key(carts::CART, 1);
    assert!(sessions.can_pin());
    sessions.update_session(&cart, pend).await.unwrap();
    sessions.update_session(&key(carts::CART, 2), pend).await.unwrap();
    assert_eq!((sessions.can_pin(), sessions.pinned()), (false, 2));
    for id in 10..1_000 {
        sessions.update_session(&key(carts::CART, id), |record| record.epoch = 1).await.unwrap();
    }
    sessions.run_pending_tasks();
    assert_eq!(sessions.count(), 12);
    assert!(sessions.session(&cart).await.unwrap().is_some_and(|record| record.pending.is_some()));
    sessions.update_session(&cart, |record| record.pending = None).await.unwrap();
    assert_eq!((sessions.can_pin(), sessions.pinned(), sessions.pending_expired()), (true, 1, 0));
}

#[tokio::test]
async fn the_list_tells_the_dialects_apart_and_goes_on_where_it_stopped() {
    let sessions = sessions(100);
    for kind in [carts::CART, checkouts::INVOICE, checkouts::CHECKOUT] {
        for id in 0..3 {
            sessions.update_session(&key(kind, id), |record| record.epoch = id + 1).await.unwrap();
        }
    }
    let keys = async |kinds: &[SessionKind], after: Option<&SessionKey>, limit| -> Vec<String> {
        sessions
            .list(kinds, after, limit)
            .await
            .unwrap()
            .iter()
            .map(|(key, _)| key.to_string())
            .collect()
    };
    assert_eq!(keys(&[carts::CART], None, 9).await, ["cart 0000", "cart 0001", "cart 0002"]);
    assert_eq!(
        keys(checkouts::DIALECT.kinds(), None, 4).await[2..],
        ["checkout 0002", "invoice 0000"]
    );
    let after = key(checkouts::INVOICE, 1);
    assert_eq!(
        keys(&[checkouts::CHECKOUT, checkouts::INVOICE, carts::CART], Some(&after), 2).await,
        ["invoice 0002", "cart 0000"]
    );
    let (_, record) = sessions.list(&[carts::CART], None, 3).await.unwrap().remove(2);
    assert_eq!(record.epoch, 3);
}
