//! Shares look-ups in flight: callers that ask the same at the same time make one upstream call.
//!
//! The first caller's future runs in a task of its own, so that the others get the answer even if
//! that caller hangs up. Answers are not kept: a caller that comes after the end asks again.

use crate::rules::CredentialHash;
use dashmap::{DashMap, Entry};
use http::{HeaderValue, uri::PathAndQuery};
use std::sync::Arc;
use tokio::{sync::watch, task::JoinHandle};

/// Identifies a look-up: two with equal keys are shared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LookupKey {
    /// The path asked for.
    pub path: PathAndQuery,
    /// The values of the request headers that change an answer: form, language, version, cookies.
    pub asked: Vec<HeaderValue>,
    /// The caller, since one caller may see what another may not.
    pub caller: CredentialHash,
    /// The record's epoch when the look-up was asked for: an answer from before a change is not
    /// shared with callers that ask after it.
    pub epoch: u32,
}

type InFlight<T> = Arc<DashMap<LookupKey, watch::Receiver<Option<T>>>>;

/// The look-ups in flight. Clones share them.
pub struct LookUps<T> {
    in_flight: InFlight<T>,
}

impl<T> Clone for LookUps<T> {
    fn clone(&self) -> Self {
        Self { in_flight: self.in_flight.clone() }
    }
}

impl<T> Default for LookUps<T> {
    fn default() -> Self {
        Self { in_flight: Arc::default() }
    }
}

impl<T: Clone + Send + Sync + 'static> LookUps<T> {
    /// Runs a look-up, or waits for one with the same key that is already in flight; one without a
    /// key is never shared. It runs in a task of its own: a caller that hangs up does not stop it.
    ///
    /// # Panics
    /// Panics in the caller whose `look_up` panics. Callers that shared it run their own.
    pub async fn share(
        &self,
        key: Option<LookupKey>,
        look_up: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let Some(key) = key else { return on_its_own(tokio::spawn(look_up)).await };
        loop {
            let mut answer = match self.in_flight.entry(key.clone()) {
                Entry::Occupied(other) => other.get().clone(),
                Entry::Vacant(slot) => {
                    let (tell, answer) = watch::channel(None);
                    slot.insert(answer);
                    let under_way = UnderWay { key, in_flight: self.in_flight.clone() };
                    return run(look_up, tell, under_way).await;
                }
            };
            if let Ok(Some(answer)) = answer.wait_for(Option::is_some).await.as_deref() {
                return answer.clone();
            }
            // It ended without an answer (it panicked, or its runtime was shut down): this caller
            // runs its own.
        }
    }

    /// Returns the paths of the look-ups in flight, without their queries, which may hold tokens.
    pub fn paths(&self) -> Vec<String> {
        let mut paths: Vec<_> =
            self.in_flight.iter().map(|look_up| look_up.key().path.path().to_owned()).collect();
        paths.sort_unstable();
        paths
    }

    /// Returns how many look-ups are in flight.
    pub fn open(&self) -> usize {
        self.in_flight.len()
    }
}

async fn run<T>(
    look_up: impl Future<Output = T> + Send + 'static,
    tell: watch::Sender<Option<T>>,
    under_way: UnderWay<T>,
) -> T
where
    T: Clone + Send + Sync + 'static,
{
    let task = tokio::spawn(async move {
        let answer = look_up.await;
        // Removed before the answer is sent, so that no caller joins a look-up that has ended.
        drop(under_way);
        tell.send_replace(Some(answer.clone()));
        answer
    });
    on_its_own(task).await
}

async fn on_its_own<T>(task: JoinHandle<T>) -> T {
    match task.await {
        Ok(answer) => answer,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is being shut down, and this caller with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Removes the look-up from the list when dropped, even after a panic.
struct UnderWay<T> {
    key: LookupKey,
    in_flight: InFlight<T>,
}

impl<T> Drop for UnderWay<T> {
    fn drop(&mut self) {
        self.in_flight.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::{join_all, pending};
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::sync::{Semaphore, oneshot};

    fn key(path: &'static str, caller: u8, epoch: u32) -> Option<LookupKey> {
        let path = PathAndQuery::from_static(path);
        let caller = CredentialHash([caller; 16]);
        Some(LookupKey { path, asked: Vec::new(), caller, epoch })
    }

    #[tokio::test]
    async fn callers_of_one_look_up_share_one_answer() {
        let look_ups = LookUps::default();
        let asked = Arc::new(AtomicU32::new(0));
        let answers = join_all((0..100).map(|_| {
            let asked = asked.clone();
            look_ups.share(key("/checkouts/1", 1, 0), async move {
                tokio::task::yield_now().await;
                asked.fetch_add(1, Ordering::Relaxed) + 1
            })
        }));
        assert_eq!(answers.await, vec![1; 100]);
        assert_eq!(look_ups.open(), 0);
    }

    #[tokio::test]
    async fn another_path_caller_or_epoch_asks_for_itself() {
        let look_ups = LookUps::default();
        let keys = [
            key("/checkouts/1", 1, 0),
            key("/checkouts/2", 1, 0),
            key("/checkouts/1", 2, 0),
            key("/checkouts/1", 1, 1),
        ];
        let meet = Arc::new(Semaphore::new(0));
        // Each look-up ends only when all have begun.
        let answers = keys.into_iter().enumerate().map(|(n, key)| {
            let meet = meet.clone();
            look_ups.share(key, async move {
                meet.add_permits(1);
                let _all = meet.acquire_many(4).await.map(|all| all.forget());
                meet.add_permits(4);
                n
            })
        });
        assert_eq!(join_all(answers).await, [0, 1, 2, 3]);
    }

    #[tokio::test]
    async fn the_first_callers_hanging_up_takes_nothing_from_the_others() {
        let look_ups = LookUps::default();
        let (tell, told) = oneshot::channel::<u32>();
        let mut first = Box::pin(
            look_ups.share(key("/sources/1", 1, 0), async move { told.await.unwrap_or(0) }),
        );
        assert!(futures_util::poll!(&mut first).is_pending());
        let mut second = Box::pin(look_ups.share(key("/sources/1", 1, 0), pending::<u32>()));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        tell.send(7).unwrap();
        assert_eq!(second.await, 7);
        assert_eq!(look_ups.open(), 0);
    }

    #[tokio::test]
    async fn where_a_shared_look_up_panics_the_others_ask_for_themselves() {
        let look_ups = LookUps::default();
        let shared = look_ups.clone();
        let first = tokio::spawn(async move {
            shared
                .share(key("/sources/1", 1, 0), async {
                    tokio::task::yield_now().await;
                    panic!("on purpose");
                    #[expect(unreachable_code, reason = "gives the future its type")]
                    0
                })
                .await
        });
        tokio::task::yield_now().await;
        assert_eq!(look_ups.open(), 1);
        assert_eq!(look_ups.share(key("/sources/1", 1, 0), async { 2 }).await, 2);
        assert!(first.await.unwrap_err().is_panic());
        assert_eq!(look_ups.open(), 0);
    }
}
