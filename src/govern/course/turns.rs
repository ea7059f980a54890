//! Taking the turn of a call, and putting it aside.

use super::Course;
use crate::{
    govern::learn::Hand,
    rules::{Event, Intent, Owner, SessionObservation},
    sessions::{Busy, Priority, StoreError, TurnError, TurnKey, now},
};
use std::time::Duration;

impl Course<'_> {
    /// Takes the turn that the call must have: its session's, or that of whose saved sources it
    /// changes.
    pub(super) async fn take_turn(&mut self, overtakes: bool) -> Result<Event, StoreError> {
        let exchange = self.exchange;
        let sessions = exchange.asker.governor.sessions();
        let priority = if overtakes { Priority::Overtaking } else { Priority::Ordinary };
        let sources = exchange.sources();
        let session = self.attempt.session().cloned();
        if let Some(key) = &session {
            if self.hand.as_ref().is_some_and(|hand| hand.turn() == Some(key)) {
                return self.turn_taken().await;
            }
            self.hand = None;
            return match sessions.turn(key, &sources, priority).await {
                Ok(turn) => {
                    self.hand = Some(Hand::Turn(turn));
                    self.turn_taken().await
                }
                Err(TurnError::Busy(busy)) => Ok(self.is_busy(busy)),
                Err(TurnError::Store(error)) => Err(error),
            };
        }
        self.hand = None;
        let guard = match self.other_turn() {
            None => None,
            Some(key) => match sessions.guard(&key, priority).await {
                Ok(guard) => Some(guard),
                Err(busy) => return Ok(self.is_busy(busy)),
            },
        };
        let in_hand = guard.is_some();
        let records = sessions.records(None, &sources, exchange.customer().as_ref()).await?;
        self.hand = Some(Hand::Records(records, guard));
        Ok(Event::TurnTaken { in_hand })
    }

    /// The turn of a call that is about no session that is known.
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

    /// An earlier call whose outcome was never learned leaves the session unsure.
    async fn turn_taken(&mut self) -> Result<Event, StoreError> {
        if let Some(Hand::Turn(turn)) = &mut self.hand
            && turn.record().in_flight
        {
            let records = turn.records_mut();
            records.apply(SessionObservation::OutcomeUnknown, &self.exchange.policy, now());
            records.write().await?;
        }
        Ok(Event::TurnTaken { in_hand: true })
    }

    fn is_busy(&mut self, busy: Busy) -> Event {
        self.busy = Some(busy);
        Event::Busy
    }

    pub(super) async fn hold(&mut self, window: Duration) -> Result<Event, StoreError> {
        let hand = match self.hand.take() {
            Some(Hand::Turn(turn)) => turn.hold(window).wait().await.map(Hand::Turn),
            Some(Hand::Records(records, Some(guard))) => {
                let guard = guard.hold(window).wait().await;
                self.stale = true;
                guard.map(|guard| Hand::Records(records, Some(guard))).map_err(TurnError::Busy)
            }
            // There is no turn to put aside.
            hand => {
                self.hand = hand;
                return Ok(Event::TurnBack);
            }
        };
        match hand {
            Ok(hand) => {
                self.hand = Some(hand);
                self.turn_taken().await?;
                Ok(Event::TurnBack)
            }
            Err(TurnError::Busy(busy)) => Ok(self.is_busy(busy)),
            Err(TurnError::Store(error)) => Err(error),
        }
    }
}
