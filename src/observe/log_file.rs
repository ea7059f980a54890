//! The log as a file: rotation by size, a fresh start on request, and what becomes of lines that
//! cannot be written.
//!
//! In: one line at a time, on the log's own thread, and a request to open the file again. Out: the
//! file, and older ones beside it as `name.1`, `name.2`, …, the newest first. Lines that cannot be
//! written are dropped and counted, and standard error is told, once a minute at most. Every write
//! tries again, so the log goes on as soon as it can. Nothing is synced to the disk: what the
//! system has not written when the machine fails is lost.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How many bytes are collected while lines are waiting.
const AT_ONCE: usize = 64 << 10;

/// How often standard error is told, and how long a rotation that failed is not tried.
const PAUSE: Duration = Duration::from_secs(60);

/// Where the log goes, and when a new file begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileSettings {
    pub path: PathBuf,
    /// A file that would become longer is put aside first; `None`: never.
    pub rotate_at: Option<usize>,
    /// How many files are kept beside it.
    pub keep: usize,
}

impl FileSettings {
    /// Opens the file as the log will, and closes it. A pipe is left alone: it may have no reader
    /// yet.
    pub(crate) fn try_open(&self) -> io::Result<()> {
        match fs::metadata(&self.path) {
            Ok(about) if !about.is_file() => Ok(()),
            _ => Open::at(&self.path).map(drop),
        }
    }
}

/// What other threads ask of the file, and learn of it.
#[derive(Clone, Default)]
pub(super) struct FileHandle {
    reopen: Arc<AtomicBool>,
    lost: Arc<AtomicUsize>,
}

impl FileHandle {
    /// Asks for the file to be opened again at the next write.
    pub(super) fn reopen(&self) {
        self.reopen.store(true, Ordering::Relaxed);
    }

    /// Returns how many lines could not be written.
    pub(super) fn lost(&self) -> usize {
        self.lost.load(Ordering::Relaxed)
    }
}

/// The file, written by one thread.
pub(super) struct LogFile {
    settings: FileSettings,
    handle: FileHandle,
    open: Option<Open>,
    /// Whole lines that wait to be written.
    waiting: Vec<u8>,
    /// Whether what was written last ends within a line.
    torn: bool,
    /// When standard error was told that lines are lost.
    told: Option<Instant>,
    /// Whether it is to be told that they are written again.
    tells_end: bool,
    rotates_again: Option<Instant>,
    tell: fn(String),
}

struct Open {
    file: File,
    size: usize,
    /// Whether it can be put aside: it is no terminal and no pipe.
    moves: bool,
}

impl Open {
    fn at(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
        let file = options.open(path)?;
        let about = file.metadata()?;
        let size = usize::try_from(about.len()).unwrap_or(usize::MAX);
        Ok(Self { file, size, moves: about.is_file() })
    }

    /// Writes all of it, or returns how much was written and why not more.
    fn write(&mut self, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
        let mut done = 0;
        while done < bytes.len() {
            match self.file.write(&bytes[done..]) {
                Ok(0) => return Err((done, io::ErrorKind::WriteZero.into())),
                Ok(n) => {
                    done += n;
                    self.size = self.size.saturating_add(n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err((done, error)),
            }
        }
        Ok(())
    }
}

impl LogFile {
    /// Makes a log that opens its file at the first line, so that nobody waits for that.
    pub(super) fn new(settings: FileSettings, handle: FileHandle) -> Self {
        Self {
            settings,
            handle,
            open: None,
            waiting: Vec::with_capacity(AT_ONCE),
            torn: false,
            told: None,
            tells_end: false,
            rotates_again: None,
            tell: tell_standard_error,
        }
    }

    fn write_out(&mut self) {
        if self.handle.reopen.swap(false, Ordering::Relaxed) {
            // Opened at once: whoever has moved the old one looks for the new.
            self.open = None;
            if let Err(error) = self.ensure_open() {
                self.lose(0, &error);
            }
        }
        if self.waiting.is_empty() {
            return;
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        if std::mem::take(&mut self.torn) {
            waiting.insert(0, b'\n');
        }
        let written = match self.ensure_open() {
            Ok(open) => open.write(&waiting),
            Err(error) => Err((0, error)),
        };
        match written {
            Ok(()) => self.tell_end(),
            Err((done, error)) => {
                self.open = None;
                self.torn = done > 0 && waiting[done - 1] != b'\n';
                let lines = waiting[done..].iter().filter(|byte| **byte == b'\n').count();
                self.lose(lines, &error);
            }
        }
        waiting.clear();
        self.waiting = waiting;
    }

    fn ensure_open(&mut self) -> io::Result<&mut Open> {
        let open = match self.open.take() {
            Some(open) => open,
            None => Open::at(&self.settings.path)?,
        };
        Ok(self.open.insert(open))
    }

    /// Counts lines that are lost, and says so now and then.
    fn lose(&mut self, lines: usize, error: &io::Error) {
        self.handle.lost.fetch_add(lines, Ordering::Relaxed);
        if self.told.is_none_or(|told| told.elapsed() >= PAUSE) {
            self.told = Some(Instant::now());
            self.tells_end = true;
            let path = self.settings.path.display();
            (self.tell)(format!(
                "cannot write the log file {path}: {error}; its lines are dropped until it can be \
                 written"
            ));
        }
    }

    fn tell_end(&mut self) {
        if std::mem::take(&mut self.tells_end) {
            let (path, lost) = (self.settings.path.display(), self.handle.lost());
            (self.tell)(format!("the log file {path} is written again; lines lost: {lost}"));
        }
    }

    /// Returns whether the file would be too long with this line.
    fn is_full(&mut self, line: usize) -> bool {
        let (Some(most), waiting) = (self.settings.rotate_at, self.waiting.len()) else {
            return false;
        };
        // Where it cannot be opened, writing says so.
        self.ensure_open().is_ok_and(|open| {
            let size = open.size.saturating_add(waiting);
            open.moves && size > 0 && size.saturating_add(line) > most
        })
    }

    /// Puts the file aside. Where that fails, it grows on, and that is tried again later.
    fn rotate(&mut self) {
        if self.rotates_again.is_some_and(|again| Instant::now() < again) {
            return;
        }
        let FileSettings { path, keep, .. } = &self.settings;
        match put_aside(path, *keep) {
            Ok(()) => {
                self.open = None;
                self.rotates_again = None;
            }
            Err(error) => {
                self.rotates_again = Some(Instant::now() + PAUSE);
                let path = path.display();
                (self.tell)(format!("cannot put the log file {path} aside: {error}; it grows on"));
            }
        }
    }
}

impl Write for LogFile {
    /// Takes a whole line. Never fails: a line that cannot be written is counted.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.is_full(line.len()) {
            self.write_out();
            self.rotate();
        } else if self.waiting.len() + line.len() > AT_ONCE {
            self.write_out();
        }
        self.waiting.extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_out();
        Ok(())
    }
}

/// Moves each file one place further; the last one goes.
fn put_aside(path: &Path, keep: usize) -> io::Result<()> {
    let aside = |place: usize| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{place}"));
        PathBuf::from(name)
    };
    for place in (1..keep).rev() {
        if_there(fs::rename(aside(place), aside(place + 1)))?;
    }
    if_there(if keep == 0 { fs::remove_file(path) } else { fs::rename(path, aside(1)) })
}

/// What is not there need not be moved.
fn if_there(moved: io::Result<()>) -> io::Result<()> {
    match moved {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        moved => moved,
    }
}

/// Writes a line to standard error, on a thread of its own: nobody may read it.
fn tell_standard_error(text: String) {
    static BUSY: AtomicBool = AtomicBool::new(false);
    if !BUSY.swap(true, Ordering::Relaxed) {
        let told = thread::Builder::new().name("log-fault".into()).spawn(move || {
            let _ = writeln!(io::stderr(), "{text}");
            BUSY.store(false, Ordering::Relaxed);
        });
        if told.is_err() {
            BUSY.store(false, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use tempfile::TempDir;

    thread_local! {
        static TOLD: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    fn told() -> Vec<String> {
        TOLD.take()
    }

    fn log(folder: &TempDir, rotate_at: Option<usize>, keep: usize) -> LogFile {
        let settings = FileSettings { path: folder.path().join("log"), rotate_at, keep };
        let tell = |text| TOLD.with_borrow_mut(|told| told.push(text));
        LogFile { tell, ..LogFile::new(settings, FileHandle::default()) }
    }

    fn text(folder: &TempDir, name: &str) -> Option<String> {
        fs::read_to_string(folder.path().join(name)).ok()
    }

    #[test]
    fn a_file_is_put_aside_before_it_is_too_long_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("log"), "before this\n").unwrap();
        let mut log = log(&folder, Some(16), 2);
        for digit in 1..=6 {
            log.write_all(format!("{}\n", digit.to_string().repeat(7)).as_bytes()).unwrap();
        }
        log.flush().unwrap();
        assert_eq!(text(&folder, "log").unwrap(), "5555555\n6666666\n");
        assert_eq!(text(&folder, "log.1").unwrap(), "3333333\n4444444\n");
        assert_eq!(text(&folder, "log.2").unwrap(), "1111111\n2222222\n");
        assert_eq!((text(&folder, "log.3"), log.handle.lost(), told()), (None, 0, vec![]));
        // A line that is too long by itself has a file of its own.
        log.write_all(&[b'x'; 40]).unwrap();
        log.write_all(b"\n").unwrap();
        log.flush().unwrap();
        assert_eq!(text(&folder, "log.1").map(|text| text.len()), Some(40));
    }

    #[test]
    fn a_file_without_companions_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = log(&folder, Some(8), 0);
        for line in ["1111111\n", "2222222\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        log.flush().unwrap();
        assert_eq!(text(&folder, "log").unwrap(), "2222222\n");
        assert_eq!(text(&folder, "log.1"), None);
    }

    #[test]
    fn a_file_that_was_moved_is_opened_again_when_that_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = log(&folder, None, 0);
        log.write_all(b"1\n").unwrap();
        log.flush().unwrap();
        fs::rename(folder.path().join("log"), folder.path().join("old")).unwrap();
        log.write_all(b"2\n").unwrap();
        log.flush().unwrap();
        assert_eq!(text(&folder, "log"), None);
        log.handle.reopen();
        log.flush().unwrap();
        assert_eq!(text(&folder, "log").unwrap(), "");
        log.write_all(b"3\n").unwrap();
        log.flush().unwrap();
        assert_eq!(text(&folder, "old").unwrap(), "1\n2\n");
        assert_eq!(text(&folder, "log").unwrap(), "3\n");
    }

    #[test]
    fn lines_without_a_file_are_counted_and_told_once_and_the_log_goes_on_when_it_can() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = log(&folder, Some(1_000), 1);
        // A folder stands in its place.
        fs::create_dir(folder.path().join("log")).unwrap();
        for line in ["1\n", "2\n", "3\n"] {
            log.write_all(line.as_bytes()).unwrap();
            log.flush().unwrap();
        }
        assert_eq!(log.handle.lost(), 3);
        let said = told();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("cannot write the log file "), "{said:?}");
        fs::remove_dir(folder.path().join("log")).unwrap();
        log.write_all(b"4\n").unwrap();
        log.flush().unwrap();
        assert_eq!(text(&folder, "log").unwrap(), "4\n");
        assert_eq!(log.handle.lost(), 3);
        assert!(told()[0].ends_with("is written again; lines lost: 3"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_costs_the_lines_that_find_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = log(&folder, Some(64), 1);
        log.settings.path = "/dev/full".into();
        log.write_all(b"1\n2\n").unwrap();
        log.flush().unwrap();
        assert_eq!(log.handle.lost(), 2);
        assert!(told()[0].contains("/dev/full: No space left on device"), "{:?}", told());
        // What is no file is never put aside.
        log.write_all(&[b'x'; 100]).unwrap();
        log.flush().unwrap();
        assert!(Path::new("/dev/full").exists());
        // A line that was cut off is ended before the next.
        log.settings.path = folder.path().join("log");
        (log.open, log.torn) = (None, true);
        log.write_all(b"3\n").unwrap();
        log.flush().unwrap();
        assert_eq!(text(&folder, "log").unwrap(), "\n3\n");
    }

    #[test]
    fn a_file_that_cannot_be_put_aside_grows_on() {
        let folder = tempfile::tempdir().unwrap();
        // A folder that is not empty stands where the file would go.
        fs::create_dir_all(folder.path().join("log.1/full")).unwrap();
        let mut log = log(&folder, Some(4), 1);
        for line in ["1\n", "2\n", "3\n", "4\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        log.flush().unwrap();
        assert_eq!(text(&folder, "log").unwrap(), "1\n2\n3\n4\n");
        let said = told();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].ends_with("it grows on"), "{said:?}");
    }
}
