//! Notices that files change.
//!
//! In: the names of files and folders. Out: a moment at which what they hold differs from what was
//! read. Folders are watched and not files: an editor puts a new file in place of the old one, and
//! Kubernetes a new link.

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{sync::mpsc, time::sleep};

/// How long a folder must be at rest before its files are read: who writes one writes in parts.
const REST: Duration = Duration::from_millis(200);

/// How often a folder that is not at rest is waited for: others may write there all the time.
const MOST_RESTS: usize = 10;

/// Files that are watched.
pub(super) struct FileWatch {
    files: Vec<PathBuf>,
    /// What they held when they were read last; `None`: they were not.
    seen: Option<blake3::Hash>,
    events: mpsc::Receiver<()>,
    /// Watches until it is dropped.
    _watcher: Option<RecommendedWatcher>,
}

impl FileWatch {
    /// Watches nothing.
    pub(super) fn none() -> Self {
        Self { files: Vec::new(), seen: None, events: mpsc::channel(1).1, _watcher: None }
    }

    /// Watches these files from now on. Where they are others than before, what they hold may have
    /// changed since it was read: that is a change.
    pub(super) fn follow(&mut self, files: Vec<PathBuf>) {
        if files != self.files {
            let (tell, events) = mpsc::channel(1);
            let tell_at_once = tell.clone();
            let watcher = watcher(&files, tell).inspect_err(|error| {
                tracing::warn!(%error, "files cannot be watched: a change takes SIGHUP");
            });
            (self.events, self._watcher) = (events, watcher.ok());
            self.files = files;
            match self.seen {
                None => self.take_as_read(),
                Some(_) => drop(tell_at_once.try_send(())),
            }
        }
    }

    /// Takes what the files hold now as read.
    pub(super) fn take_as_read(&mut self) {
        self.seen = Some(content(&self.files));
    }

    /// Waits until the files hold something else than what was read.
    pub(super) async fn changed(&mut self) {
        while self.events.recv().await.is_some() {
            sleep(REST).await;
            for _ in 0..MOST_RESTS {
                if self.events.try_recv().is_err() {
                    break;
                }
                sleep(REST).await;
            }
            if Some(content(&self.files)) != self.seen {
                return;
            }
        }
        std::future::pending().await
    }
}

fn watcher(files: &[PathBuf], tell: mpsc::Sender<()>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // A file that is read has not changed; reading it here would be the next event.
        if !event.is_ok_and(|event| event.kind.is_access()) {
            // One that waits already tells the same.
            let _ = tell.try_send(());
        }
    })?;
    let folders: BTreeSet<&Path> = files.iter().flat_map(|file| folders(file)).collect();
    for folder in folders {
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

/// Returns the folder in which a file is, and the folder itself where it is one.
fn folders(file: &Path) -> impl Iterator<Item = &Path> {
    let parent = match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    [Some(parent), file.is_dir().then_some(file)].into_iter().flatten()
}

/// Returns a hash of what these files, and those of these folders, hold; also where one is missing.
fn content(files: &[PathBuf]) -> blake3::Hash {
    let mut hash = blake3::Hasher::new();
    for file in files {
        let parts = match file.is_dir() {
            true => vec![file.join("tls.crt"), file.join("tls.key")],
            false => vec![file.clone()],
        };
        for part in parts {
            match fs::read(part) {
                Ok(bytes) => hash.update(blake3::hash(&bytes).as_bytes()),
                Err(_) => hash.update(&[0]),
            };
        }
    }
    hash.finalize()
}
