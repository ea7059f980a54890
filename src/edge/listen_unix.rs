//! Opens a listener on a Unix socket, and removes its file in the end.
//!
//! A file that a former process has left is removed where nobody listens at it. A file that is no
//! socket stays.

use super::listener::Listener;
use socket2::{Domain, SockAddr, Socket, Type};
use std::{
    fs::{self, File, Metadata, Permissions, TryLockError},
    io,
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    time::Duration,
};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// The file of a Unix socket, which is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// What tells this file from one that another process has put in its place.
    own: Option<[u64; 4]>,
}

impl SocketFile {
    fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), own: fs::symlink_metadata(path).ok().map(|file| mark(&file)) }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _alone = alone_beside(&self.path);
        let there = fs::symlink_metadata(&self.path).ok().map(|file| mark(&file));
        if there.is_some() && there == self.own {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Keeps other Weirs from this file's folder until what it returns is dropped: those that start or
/// end at once look at the file one after the other. Where the folder cannot be locked in a moment,
/// it is done without.
fn alone_beside(path: &Path) -> Option<File> {
    let folder = File::open(path.parent()?).ok()?;
    for _ in 0..20 {
        match folder.try_lock() {
            Ok(()) => return Some(folder),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(50)),
            Err(TryLockError::Error(_)) => return None,
        }
    }
    None
}

fn mark(file: &Metadata) -> [u64; 4] {
    [file.dev(), file.ino(), file.mtime().cast_unsigned(), file.mtime_nsec().cast_unsigned()]
}

/// Opens a listener on the Unix socket at `path`, for `n` workers (at least one), which accept from
/// it together. `mode` is that of the file; without one, the process's mask says it.
///
/// # Errors
/// Returns an error if somebody listens there, if the file is no socket, or if it cannot be made.
pub(crate) fn unix_listeners(
    path: &Path,
    mode: Option<u32>,
    n: usize,
) -> io::Result<(Vec<Listener>, SocketFile)> {
    let address = SockAddr::unix(path)?;
    let _alone = alone_beside(path);
    remove_stale(path, &address)?;
    let socket = socket()?;
    socket.bind(&address)?;
    let file = SocketFile::at(path);
    if let Some(mode) = mode {
        // Nobody can connect before `listen`.
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    socket.listen(BACKLOG)?;
    Ok((shared(socket.into(), n)?, file))
}

/// Lets `n` workers (at least one) accept from one listener.
pub(super) fn shared(listener: UnixListener, n: usize) -> io::Result<Vec<Listener>> {
    let more = (1..n).map(|_| listener.try_clone());
    let mut listeners = more.collect::<io::Result<Vec<_>>>()?;
    listeners.push(listener);
    Ok(listeners.into_iter().map(Listener::Unix).collect())
}

fn socket() -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Removes the file of a socket at which nobody listens.
fn remove_stale(path: &Path, address: &SockAddr) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(file) if !file.file_type().is_socket() => {
            return Err(io::Error::other("the file exists and is no socket"));
        }
        Ok(_) => {}
    }
    match socket()?.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_file_is_taken_over_only_where_nobody_listens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weir.sock");
        let (listeners, file) = unix_listeners(&path, Some(0o660), 3).unwrap();
        assert_eq!(listeners.len(), 3);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        let error = unix_listeners(&path, None, 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        // As after a crash: the file stays, and nobody listens.
        drop(listeners);
        std::mem::forget(file);
        let (listeners, file) = unix_listeners(&path, None, 1).unwrap();
        UnixStream::connect(&path).unwrap();
        drop((listeners, file));
        assert!(!path.exists(), "it is removed in the end");
    }

    #[test]
    fn what_others_have_put_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weir.sock");
        fs::write(&path, "text").unwrap();
        let error = unix_listeners(&path, None, 1).unwrap_err();
        assert_eq!(error.to_string(), "the file exists and is no socket");
        assert_eq!(fs::read_to_string(&path).unwrap(), "text");
        fs::remove_file(&path).unwrap();
        let (listeners, former) = unix_listeners(&path, None, 1).unwrap();
        drop(listeners);
        let (_listeners, _file) = unix_listeners(&path, None, 1).unwrap();
        drop(former);
        UnixStream::connect(&path).unwrap();
    }
}
