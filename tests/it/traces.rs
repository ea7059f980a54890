//! The trace that a caller's `traceparent` names: in every line about its call, in its decision,
//! and upstream.

use crate::testbed::{Listener, Program, Server, Testbed, lines_of, thorough};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn faults_decisions_and_hang_ups_are_logged_with_their_trace() {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", upstream.local_addr().expect("an address"));
    let run = ["run", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--log-format=json"];
    let mut program = Program::start(&[&run[..], &["--upstream", &url]].concat());
    let ready = program.json_until("weir is ready");
    let address = |key: &str| ready[key].as_str().expect("an address").to_owned();
    let (weir, admin) = (address("listen"), address("admin"));
    // A caller who leaves.
    let mut caller = TcpStream::connect(weir.trim_start_matches("http://")).expect("a connection");
    let call = format!(
        "POST /checkouts/7/sources/s HTTP/1.1\r\nHost: weir\r\ntraceparent: {PARENT}\r\n\
         Content-Length: 0\r\n\r\n"
    );
    caller.write_all(call.as_bytes()).expect("a request");
    let (mut held, _) = upstream.accept().expect("a connection");
    held.read_exact(&mut [0; 1]).expect("a request");
    drop(caller);
    assert_eq!(program.json_until("the caller hung up")["trace_id"], TRACE);
    let counted = lines_of(&format!("curl -s {admin}/metrics | grep '^weir_hangups_total'"));
    assert_eq!(counted, [r#"weir_hangups_total{dialect="checkouts"} 1"#]);
    // Nobody is there any more.
    drop((held, upstream));
    let header = format!("-H 'traceparent: {PARENT}'");
    lines_of(&format!("curl -s {header} {weir}/checkouts -d '{{}}'"));
    assert_eq!(program.json_until("\"what\":\"create\"")["trace_id"], TRACE);
    assert_eq!(program.json_until("create failed")["trace_id"], TRACE);
    let shown = lines_of(&format!("curl -s '{admin}/decisions?limit=1'")).join("\n");
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown[0]["trace_id"], TRACE);
    lines_of(&format!("curl -s {header} {weir}/products"));
    assert_eq!(program.json_until("an exchange failed")["trace_id"], TRACE);
    // What is no trace is none.
    lines_of(&format!("curl -s -H 'traceparent: 00-{TRACE}-0-01' {weir}/checkouts -d '{{}}'"));
    let told = program.json_until("create failed");
    assert_eq!(told.get("trace_id"), None, "{told}");
    let shown = lines_of(&format!("curl -s '{admin}/decisions?limit=1'")).join("\n");
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown[0]["trace_id"], json!(null));
}

#[tokio::test]
async fn the_call_and_the_look_ups_for_it_take_the_trace_upstream() {
    let bed = Testbed::new().policy(thorough()).start().await;
    let upstream = Listener::new().await;
    let weir = Server::of_weir(bed.governor().clone(), upstream.address()).await;
    let caller = bed.weir.at(weir.address).with("traceparent", PARENT);
    let path = "/checkouts/7/sources/s";
    let call = tokio::spawn(async move { caller.post(path, Value::Null).await.status });
    let failed = "HTTP/1.1 500 Oh\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let mut heads = Vec::new();
    while !heads.last().is_some_and(|head: &String| head.starts_with("POST")) {
        heads.push(upstream.answer(failed).await.0);
    }
    assert_eq!(call.await.expect("an answer"), 500);
    assert!(heads.len() > 1, "there was a look-up: {heads:?}");
    let line = format!("\r\ntraceparent: {PARENT}\r\n");
    assert!(heads.iter().all(|head| head.contains(&line)), "{heads:?}");
}
