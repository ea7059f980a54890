//! Notices that files change.
//!
//! In: the names of files and folders. Out: a moment at which what they hold differs from what was
//! read. Folders are watched and not files: an editor puts a new file in place of the old one, and
//! Kubernetes a new link.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{sync::mpsc, time::sleep};
use tower::BoxError;

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
    _watcher: Option<Watcher>,
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
            self.files = files;
            let tell = self.watch();
            match self.seen {
                None => self.take_as_read(),
                Some(_) => drop(tell.try_send(())),
            }
        }
    }

    /// Watches the folders that are there now: one may have been put in another's place.
    fn watch(&mut self) -> mpsc::Sender<()> {
        let (tell, events) = mpsc::channel(1);
        let folders = self.files.iter().flat_map(|file| folders(file)).collect();
        let watcher = watcher(folders, tell.clone()).inspect_err(|error| {
            tracing::warn!(%error, "files cannot be watched: a change takes SIGHUP");
        });
        (self.events, self._watcher) = (events, watcher.ok());
        tell
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
            drop(self.watch());
            if Some(content(&self.files)) != self.seen {
                return;
            }
        }
        std::future::pending().await
    }
}

/// Watches folders until it is dropped.
#[cfg(target_os = "linux")]
struct Watcher(tokio::task::AbortHandle);

#[cfg(target_os = "linux")]
impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Tells of every file in these folders that was put there, written to its end or taken away; not
/// of one that is being written: a log in the same folder would wake Weir for each of its lines.
#[cfg(target_os = "linux")]
fn watcher(folders: BTreeSet<&Path>, tell: mpsc::Sender<()>) -> Result<Watcher, BoxError> {
    use futures_util::StreamExt;
    use inotify::{Inotify, WatchMask};
    let inotify = Inotify::init()?;
    let moved = WatchMask::MOVED_FROM | WatchMask::MOVED_TO;
    let itself = WatchMask::MOVE_SELF | WatchMask::DELETE_SELF;
    let inside = WatchMask::CREATE | WatchMask::DELETE | WatchMask::ATTRIB | moved;
    for folder in folders {
        inotify.watches().add(folder, inside | itself | WatchMask::CLOSE_WRITE)?;
    }
    let mut events = inotify.into_event_stream([0; 4096])?;
    let watching = tokio::spawn(async move {
        while let Some(event) = events.next().await {
            // One that waits already tells the same.
            let _ = tell.try_send(());
            if event.is_err() {
                break;
            }
        }
    });
    Ok(Watcher(watching.abort_handle()))
}

/// Watches folders until it is dropped.
#[cfg(not(target_os = "linux"))]
type Watcher = notify::RecommendedWatcher;

/// Tells of every change in these folders.
#[cfg(not(target_os = "linux"))]
fn watcher(folders: BTreeSet<&Path>, tell: mpsc::Sender<()>) -> Result<Watcher, BoxError> {
    use notify::{Event, RecursiveMode, Watcher};
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // A file that is read has not changed; reading it here would be the next event.
        if !event.is_ok_and(|event| event.kind.is_access()) {
            // One that waits already tells the same.
            let _ = tell.try_send(());
        }
    })?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::File, io::Write};

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_file_that_is_written_in_the_same_folder_wakes_nobody_before_its_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, log) = (folder.path().join("weir.toml"), folder.path().join("weir.log"));
        fs::write(&file, "a").expect("a file");
        let mut log = File::create(log).expect("a file");
        let mut watch = FileWatch::none();
        watch.follow(vec![file.clone()]);
        for _ in 0..100 {
            log.write_all(b"a line\n").expect("a disk");
        }
        fs::read(&file).expect("a file");
        for _ in 0..1000 {
            // The runtime looks for events every now and then.
            tokio::task::yield_now().await;
        }
        assert!(watch.events.try_recv().is_err(), "nobody waits for a log's lines");
        drop(log);
        watch.events.recv().await.expect("the end of what was written");
        fs::write(&file, "b").expect("a file");
        watch.changed().await;
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_folder_that_takes_anothers_place_is_watched_in_its_stead() {
        let folder = tempfile::tempdir().expect("a folder");
        let (here, there) = (folder.path().join("weir"), folder.path().join("new"));
        for (folder, text) in [(&here, "a"), (&there, "b")] {
            fs::create_dir(folder).expect("a folder");
            fs::write(folder.join("weir.toml"), text).expect("a file");
        }
        let mut watch = FileWatch::none();
        watch.follow(vec![here.join("weir.toml")]);
        fs::rename(&here, folder.path().join("old")).expect("it moves");
        fs::rename(&there, &here).expect("it moves");
        watch.changed().await;
        watch.take_as_read();
        fs::write(here.join("weir.toml"), "c").expect("a file");
        watch.changed().await;
    }
}
