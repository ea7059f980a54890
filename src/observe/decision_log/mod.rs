//! The decision log: one line for each governed call, with all that its decision rested on.
//!
//! In: decisions, and what each rested on. Out: lines, written by a thread of their own behind a
//! bounded queue. No call waits for it: where the queue is full, lines are dropped and counted. The
//! lines are made on that thread, too.

mod facts;
mod fingerprint;
mod line;
mod recorded;
#[cfg(test)]
mod tests;

pub(crate) use recorded::Recorded;

use super::decision::Decision;
#[cfg(feature = "cli")]
use super::log_file::{FileHandle, FileSettings, LogFile};
use fingerprint::Fingerprints;
use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

/// How many calls wait for the writer; more are dropped.
const QUEUE: usize = 4096;

/// How long a stop waits for the writer.
const PATIENCE: Duration = Duration::from_secs(1);

/// The way to the log's thread.
pub(crate) struct DecisionLog {
    queue: SyncSender<Message>,
    dropped: AtomicU64,
    failed: Arc<AtomicU64>,
    #[cfg(feature = "cli")]
    file: Option<FileHandle>,
}

/// What the log's thread is told.
enum Message {
    Call(Arc<Decision>, Option<Box<Recorded>>),
    /// Write what waits, then drop this.
    Flush(SyncSender<()>),
}

impl DecisionLog {
    /// Starts the thread that writes lines to `to`, each in one piece.
    pub(crate) fn start(to: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, inbox) = sync_channel(QUEUE);
        let failed = Arc::new(AtomicU64::new(0));
        let writer = Writer { to, failed: failed.clone(), policies: Fingerprints::default() };
        thread::Builder::new().name("decision-log".into()).spawn(move || writer.run(&inbox))?;
        Ok(Self {
            queue,
            dropped: AtomicU64::new(0),
            failed,
            #[cfg(feature = "cli")]
            file: None,
        })
    }

    /// Starts the log with a file.
    #[cfg(feature = "cli")]
    pub(crate) fn in_file(settings: FileSettings) -> io::Result<Self> {
        let handle = FileHandle::default();
        let log = Self::start(LogFile::new(settings, handle.clone()))?;
        Ok(Self { file: Some(handle), ..log })
    }

    /// Opens the file again, which somebody has moved; without waiting for that.
    #[cfg(feature = "cli")]
    pub(crate) fn reopen(&self) {
        if let Some(file) = &self.file {
            file.reopen();
            // Where the queue is full, the next line does it.
            let _ = self.queue.try_send(Message::Flush(sync_channel(0).0));
        }
    }

    /// Hands a call to the writer, or counts it as dropped.
    pub(super) fn record(&self, decision: Arc<Decision>, recorded: Option<Box<Recorded>>) {
        if self.queue.try_send(Message::Call(decision, recorded)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes what waits, for about a second at most.
    pub(crate) fn finish(&self) {
        let until = Instant::now() + PATIENCE;
        let (answer, done) = sync_channel(0);
        let mut message = Message::Flush(answer);
        while let Err(TrySendError::Full(again)) = self.queue.try_send(message) {
            if Instant::now() >= until {
                return;
            }
            message = again;
            thread::sleep(Duration::from_millis(5));
        }
        let left = until.saturating_duration_since(Instant::now());
        let end: Result<(), RecvTimeoutError> = done.recv_timeout(left);
        debug_assert!(end.is_err(), "nothing is sent");
    }

    /// Returns how many calls have no line: the queue was full, or it could not be written.
    pub(crate) fn dropped(&self) -> u64 {
        let failed = self.failed.load(Ordering::Relaxed);
        let dropped = self.dropped.load(Ordering::Relaxed).saturating_add(failed);
        #[cfg(feature = "cli")]
        let lost = self.file.as_ref().map_or(0, FileHandle::lost);
        #[cfg(not(feature = "cli"))]
        let lost = 0usize;
        dropped.saturating_add(u64::try_from(lost).unwrap_or(u64::MAX))
    }
}

/// The log's thread.
struct Writer<W> {
    to: W,
    failed: Arc<AtomicU64>,
    policies: Fingerprints,
}

impl<W: Write> Writer<W> {
    /// Writes until nobody can tell it anything any more.
    fn run(mut self, inbox: &Receiver<Message>) {
        let mut line = Vec::new();
        while let Ok(first) = inbox.recv() {
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Call(decision, recorded) => {
                        self.write(&decision, recorded.as_deref(), &mut line);
                    }
                    Message::Flush(done) => {
                        self.flush();
                        drop(done);
                    }
                }
                next = inbox.try_recv().ok();
            }
            self.flush();
        }
    }

    fn write(&mut self, decision: &Decision, recorded: Option<&Recorded>, line: &mut Vec<u8>) {
        line.clear();
        let written = line::write(decision, recorded, &mut self.policies, line)
            .and_then(|()| self.to.write_all(line));
        if written.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&mut self) {
        if self.to.flush().is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}
