//! One Weir takes another's place while callers go on.

use crate::testbed::{Program, weir};
use command_fds::{CommandFdExt, FdMapping};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

/// Starts Weir with this listener, as systemd would.
fn start(listener: &TcpListener, upstream: SocketAddr) -> Program {
    let program = weir(&[]);
    let mut command = Command::new("sh");
    command.arg("-c").arg("LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\"");
    command.arg(program.get_program()).args(["run", "--admin", "off", "--log-format=json"]);
    command.arg("--upstream").arg(format!("http://{upstream}"));
    let parent_fd = listener.try_clone().expect("a descriptor").into();
    command.fd_mappings(vec![FdMapping { parent_fd, child_fd: 3 }]).expect("one descriptor");
    let mut program = Program::of(command);
    program.json_until("weir is ready");
    program
}

fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            thread::spawn(move || {
                let (mut head, mut byte) = (Vec::new(), [0]);
                while stream.read_exact(&mut byte).is_ok() {
                    head.push(byte[0]);
                    if head.ends_with(b"\r\n\r\n") {
                        head.clear();
                        let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
                    }
                }
            });
        }
    });
    address
}

#[test]
fn a_socket_that_is_handed_over_loses_no_call_when_one_weir_takes_anothers_place() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let upstream = upstream();
    let mut running = start(&listener, upstream);
    let (is_over, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (is_over, calls) = (is_over.clone(), calls.clone());
            thread::spawn(move || {
                while !is_over.load(Relaxed) {
                    let mut stream = TcpStream::connect(address).expect("somebody listens");
                    let call = b"GET /x HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n";
                    stream.write_all(call).expect("somebody reads");
                    let mut answer = String::new();
                    stream.read_to_string(&mut answer).expect("somebody answers");
                    assert!(answer.starts_with("HTTP/1.1 204"), "{answer:?}");
                    calls.fetch_add(1, Relaxed);
                }
            })
        })
        .collect();
    let until = |more: usize| {
        let wanted = calls.load(Relaxed) + more;
        while calls.load(Relaxed) < wanted && callers.iter().all(|caller| !caller.is_finished()) {
            thread::yield_now();
        }
    };
    for _ in 0..3 {
        until(50);
        let next = start(&listener, upstream);
        until(50);
        running.signal("TERM");
        let ended = running.ended();
        assert_eq!(ended.code, Some(0), "{:?}", ended.errors);
        running = next;
    }
    until(50);
    is_over.store(true, Relaxed);
    for caller in callers {
        caller.join().expect("no call was lost");
    }
}
