//! Work that goes on when its caller has hung up, and that a shutdown waits for.

use std::{fmt, future::Future, sync::Arc};
use tokio::{sync::watch, task::JoinHandle};

/// Counts tasks that must not be cut off. Clones count together.
#[derive(Clone)]
pub struct Work(Arc<watch::Sender<()>>);

impl Default for Work {
    fn default() -> Self {
        Work(Arc::new(watch::Sender::new(())))
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Work").field(&self.running()).finish()
    }
}

impl Work {
    /// Runs `task` to its end on the current runtime, whatever becomes of the handle.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let running = self.0.subscribe();
        tokio::spawn(async move {
            let output = task.await;
            drop(running);
            output
        })
    }

    /// How many tasks run now.
    pub fn running(&self) -> usize {
        self.0.receiver_count()
    }

    /// Returns when no task runs.
    pub async fn ended(&self) {
        self.0.closed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn work_goes_on_without_its_handle_and_is_waited_for() {
        let work = Work::default();
        let (open, gate) = oneshot::channel::<()>();
        let (report, reported) = oneshot::channel();
        drop(work.spawn(async move {
            let _ = gate.await;
            let _ = report.send(7);
        }));
        assert_eq!(work.running(), 1);
        open.send(()).unwrap();
        work.ended().await;
        assert_eq!(reported.await, Ok(7));
    }
}
