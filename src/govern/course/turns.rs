//! Takes the turn of a call, and holds it for a while.

use super::Course;
use crate::{
    govern::{exchange::Exchange, holding::Holding},
    rules::{Event, Intent, Owner, SessionKey, SessionObservation},
    sessions::{Busy, BusyReason, Priority, StoreError, TurnError, TurnKey, now},
};
use std::time::Duration;

impl Course<'_> {
    /// Takes the turn that the call must have: that of its session, or of the shopper or customer
    /// whose saved sources it changes.
    pub(super) async fn take_turn(&mut self, overtakes: bool) -> Result<Event, StoreError> {
        let exchange = self.exchange;
        let sessions = exchange.asker.governor.sessions();
        let priority = if overtakes { Priority::Overtaking } else { Priority::Ordinary };
        let sources = exchange.sources();
        let session = self.attempt.session().cloned();
        if let Some(key) = &session {
            match wait_for_unseen(exchange, key, priority).await {
                Ok(waited) => self.stale |= waited,
                Err(busy) => return Ok(self.note_busy(busy)),
            }
            if let Some(Holding::Turn(turn)) = &self.hand
                && turn.key() == key
                && !self.stale
            {
                self.unchanged = !turn.record().in_flight;
                return self.begin_turn().await;
            }
            self.hand = None;
            return match sessions.turn(key, &sources, priority).await {
                Ok(turn) => {
                    self.hand = Some(Holding::Turn(turn));
                    self.begin_turn().await
                }
                Err(TurnError::Busy(busy)) => Ok(self.note_busy(busy)),
                Err(TurnError::Store(error)) => Err(error),
            };
        }
        self.hand = None;
        if let Some(key) = self.attempt.unseen().cloned() {
            return Box::pin(self.take_turn_unseen(key, priority)).await;
        }
        let guard = match self.other_turn() {
            None => None,
            Some(key) => match sessions.guard(&key, priority).await {
                Ok(guard) => Some(guard),
                Err(busy) => return Ok(self.note_busy(busy)),
            },
        };
        let in_hand = guard.is_some();
        let records = sessions.records(None, &sources, exchange.customer().as_ref()).await?;
        self.hand = Some(Holding::Records(records, guard));
        Ok(Event::TurnTaken { in_hand })
    }

    /// Takes the turn of the caller's own calls about a session of which nothing is remembered.
    async fn take_turn_unseen(
        &mut self,
        key: SessionKey,
        priority: Priority,
    ) -> Result<Event, StoreError> {
        let exchange = self.exchange;
        let sessions = exchange.asker.governor.sessions();
        let guard = match exchange.asker.who.caller() {
            None => None,
            Some(caller) => {
                match sessions.guard(&TurnKey::Unseen(caller, key.clone()), priority).await {
                    Ok(guard) => Some(guard),
                    Err(busy) => return Ok(self.note_busy(busy)),
                }
            }
        };
        // The call that went before may have introduced the session.
        let records = sessions.records(Some(&key), &[], None).await?;
        if let Some(record) = records.session() {
            return Ok(Event::Seen { pending: record.pending.is_some() });
        }
        let in_hand = guard.is_some();
        let records = sessions.records(None, &exchange.sources(), None).await?;
        self.hand = Some(Holding::Records(records, guard));
        Ok(Event::TurnTaken { in_hand })
    }

    /// Returns the turn of a call whose session is not known, or that has none.
    fn other_turn(&self) -> Option<TurnKey> {
        let caller = self.exchange.asker.who.caller()?;
        match &*self.exchange.intent {
            Intent::Save { owner: Owner::Shopper, .. } | Intent::ChangeOption { .. } => {
                Some(TurnKey::Shopper(caller))
            }
            intent if intent.session().is_some() => Some(TurnKey::Shopper(caller)),
            _ => self.exchange.customer().map(TurnKey::Customer),
        }
    }

    /// Begins the turn in hand. Marks the session as unsure where the outcome of an earlier call
    /// was never learned.
    async fn begin_turn(&mut self) -> Result<Event, StoreError> {
        if let Some(Holding::Turn(turn)) = &mut self.hand
            && turn.record().in_flight
        {
            let records = turn.records_mut();
            records.apply(SessionObservation::OutcomeUnknown, &self.exchange.policy, now());
            records.write().await?;
        }
        Ok(Event::TurnTaken { in_hand: true })
    }

    fn note_busy(&mut self, busy: Busy) -> Event {
        let metrics = self.exchange.asker.governor.metrics();
        metrics.bound_hit(match busy.reason {
            BusyReason::QueueFull => "turn-queue",
            BusyReason::TooManyWait => "turns-waiting",
            BusyReason::WaitedTooLong => "turn-wait",
        });
        self.busy = Some(busy);
        Event::Busy
    }

    /// Gives the turn away for at most `window`, and takes it back.
    pub(super) async fn hold(&mut self, window: Duration) -> Result<Event, StoreError> {
        let hand = match self.hand.take() {
            Some(Holding::Turn(turn)) => turn.hold(window).wait().await.map(Holding::Turn),
            Some(Holding::Records(records, Some(guard))) => {
                let guard = guard.hold(window).wait().await;
                self.stale = true;
                guard.map(|guard| Holding::Records(records, Some(guard))).map_err(TurnError::Busy)
            }
            // There is no turn to give away.
            hand => {
                self.hand = hand;
                return Ok(Event::TurnBack);
            }
        };
        match hand {
            Ok(hand) => {
                self.hand = Some(hand);
                self.begin_turn().await?;
                Ok(Event::TurnBack)
            }
            Err(TurnError::Busy(busy)) => Ok(self.note_busy(busy)),
            Err(TurnError::Store(error)) => Err(error),
        }
    }
}

/// Waits for the caller's own call that was sent when nothing was remembered of the session: it has
/// no turn of the session's, and a read may have introduced the session since. Returns whether
/// there was one.
async fn wait_for_unseen(
    exchange: &Exchange,
    key: &SessionKey,
    priority: Priority,
) -> Result<bool, Busy> {
    let Some(caller) = exchange.asker.who.caller() else { return Ok(false) };
    let unseen = TurnKey::Unseen(caller, key.clone());
    exchange.asker.governor.sessions().wait_for(&unseen, priority).await
}
