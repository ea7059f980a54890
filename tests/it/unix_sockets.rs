//! Callers that come over a Unix socket.

use crate::testbed::{Program, weir};
use command_fds::{CommandFdExt, FdMapping};
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    process::Command,
    thread,
};
use tempfile::TempDir;

const GET: &[u8] = b"GET /x HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n";

/// Reads up to the end of a head; `None`: it did not come.
fn head(stream: &mut impl Read) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// An upstream that answers each call with its own head.
fn mirror() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            thread::spawn(move || {
                while let Some(head) = head(&mut stream) {
                    let length = head.len();
                    let answer =
                        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{head}");
                    let _ = stream.write_all(answer.as_bytes());
                }
            });
        }
    });
    address
}

struct Socket {
    _folder: TempDir,
    path: PathBuf,
}

impl Socket {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { path: folder.path().join("weir.sock"), _folder: folder }
    }

    /// Starts Weir at it, with these lines in `[listen]`.
    fn weir(&self, lines: &str) -> Program {
        let mut program = self.program(lines);
        let ready = program.until_error("weir is ready");
        assert!(ready.contains(&format!("http on unix:{}", self.path.display())), "{ready}");
        program
    }

    fn program(&self, lines: &str) -> Program {
        let file = self.path.with_extension("toml");
        let text = format!(
            "[listen]\naddress = \"unix:{}\"\n{lines}\n[admin]\naddress = \"off\"\n\
             [headers]\nforwarded = true\n[upstream]\nurl = \"http://{}\"\n",
            self.path.display(),
            mirror()
        );
        fs::write(&file, text).expect("a file");
        Program::start(&["run", "--config", file.to_str().expect("text"), "--log-format=json"])
    }

    fn connect(&self) -> UnixStream {
        UnixStream::connect(&self.path).expect("somebody listens")
    }
}

fn ask(mut stream: UnixStream, bytes: &[u8]) -> String {
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).expect("text")
}

#[test]
fn callers_are_served_and_their_address_is_unknown() {
    let socket = Socket::new();
    let program = socket.weir("workers = 3\nsocket-mode = \"0600\"");
    assert_eq!(fs::metadata(&socket.path).unwrap().permissions().mode() & 0o777, 0o600);
    let callers: Vec<_> = (0..20).map(|_| socket.connect()).collect();
    for caller in callers {
        let answer = ask(caller, GET);
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(answer.contains("\r\nforwarded: for=unknown;proto=http\r\n"), "{answer}");
        assert!(answer.contains("\r\nx-forwarded-for: unknown\r\n"), "{answer}");
    }
    let mut h2 = socket.connect();
    h2.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut frame = [0; 9];
    h2.read_exact(&mut frame).unwrap();
    assert_eq!(frame[3], 4, "SETTINGS");
    drop(h2);
    program.signal("TERM");
    assert_eq!(program.ended().code, Some(0));
    assert!(!socket.path.exists(), "the file is removed in the end");
}

#[test]
fn a_socket_that_is_used_stays_and_one_that_was_left_is_taken_over() {
    let socket = Socket::new();
    let first = socket.weir("");
    let second = socket.program("").ended();
    assert_eq!(second.code, Some(1));
    let why = format!(
        "error: cannot listen on unix:{} for callers: the address is in use; \
         stop what uses it, or choose another with --listen",
        socket.path.display()
    );
    assert_eq!(second.errors, [why]);
    assert!(ask(socket.connect(), GET).starts_with("HTTP/1.1 200 OK"), "the first goes on");
    // Killed: it cannot remove its file.
    drop(first);
    assert!(fs::metadata(&socket.path).unwrap().file_type().is_socket());
    let third = socket.weir("");
    assert!(ask(socket.connect(), GET).starts_with("HTTP/1.1 200 OK"));
    third.signal("TERM");
    assert_eq!(third.ended().code, Some(0));
    fs::write(&socket.path, "text").unwrap();
    let fourth = socket.program("").ended();
    assert_eq!(fourth.code, Some(1));
    assert!(fourth.errors[0].contains("the file exists and is no socket"), "{:?}", fourth.errors);
    assert_eq!(fs::read_to_string(&socket.path).unwrap(), "text");
}

#[test]
fn who_comes_over_the_socket_may_have_to_say_for_whom_it_speaks() {
    let socket = Socket::new();
    let mut program = socket.weir("proxy-protocol = [\"unix\"]");
    let header = &b"PROXY TCP4 203.0.113.9 10.0.0.1 56224 443\r\n"[..];
    let answer = ask(socket.connect(), &[header, GET].concat());
    assert!(answer.contains("\r\nforwarded: for=203.0.113.9;proto=http\r\n"), "{answer}");
    let answer = ask(socket.connect(), &[b"PROXY UNKNOWN\r\n", GET].concat());
    assert!(answer.contains("\r\nforwarded: for=unknown;proto=http\r\n"), "{answer}");
    assert_eq!(ask(socket.connect(), GET), "");
    let told = program.until_error("does not begin with a PROXY header");
    assert!(told.contains("a Unix socket"), "{told}");
}

#[test]
fn a_unix_socket_may_be_handed_over() {
    let socket = Socket::new();
    let listener = UnixListener::bind(&socket.path).expect("a socket");
    let mut running = handed(&listener, &socket.path);
    for _ in 0..2 {
        assert!(ask(socket.connect(), GET).starts_with("HTTP/1.1 200 OK"));
        let next = handed(&listener, &socket.path);
        running.signal("TERM");
        assert_eq!(running.ended().code, Some(0));
        running = next;
    }
    assert!(ask(socket.connect(), GET).starts_with("HTTP/1.1 200 OK"));
    running.signal("TERM");
    assert_eq!(running.ended().code, Some(0));
    assert!(socket.path.exists(), "the file is its owner's");
}

/// Starts Weir with this listener, as systemd would.
fn handed(listener: &UnixListener, path: &Path) -> Program {
    let program = weir(&[]);
    let mut command = Command::new("sh");
    command.arg("-c").arg("LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\"");
    command.arg(program.get_program()).args(["run", "--admin=off", "--log-format=json"]);
    command.args(["--workers=2", "--upstream"]).arg(format!("http://{}", mirror()));
    let parent_fd = listener.try_clone().expect("a descriptor").into();
    command.fd_mappings(vec![FdMapping { parent_fd, child_fd: 3 }]).expect("one descriptor");
    let mut program = Program::of(command);
    let ready = program.until_error("weir is ready");
    assert!(ready.contains(&format!("http on unix:{}", path.display())), "{ready}");
    program
}
