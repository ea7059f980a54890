//! What probes are told: on an address of their own, of a worker that does not run, of an upstream
//! that does not answer.

use crate::testbed::{
    Admin, AdminSettings, Body, Caller, Drained, Governor, Listener, Program, Pulses, ServeOptions,
    Server, Testbed, listeners, run_workers, until, weir,
};
use http::{Request, Response};
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

/// The admin pages of a governor, on an address of their own.
async fn pages(governor: Arc<Governor>, settings: AdminSettings) -> (Caller, Server) {
    let admin = Admin::with(governor, "{}".into(), settings);
    let server = Server::start(|listener, stopped| async move {
        let _drained = admin.run(listener, stopped).await;
    })
    .await;
    (Caller::new(server.address), server)
}

#[tokio::test]
async fn the_probes_address_has_the_probes_and_shows_nothing_else() {
    let bed = Testbed::new().start().await;
    let admin = Admin::new(bed.governor().clone(), "{}".into());
    let running = admin.clone();
    let server = Server::start(|listener, stopped| async move {
        let _drained = running.run_probes(listener, stopped).await;
    })
    .await;
    // A probe may come by any name.
    let probe = Caller::new(server.address).with("host", "pod.cluster.local");
    assert_eq!(probe.get("/live").await.json(), json!({ "live": true }));
    assert_eq!(probe.get("/ready").await.json(), json!({ "ready": true }));
    for path in ["/", "/sessions", "/decisions", "/config", "/rules", "/stats", "/live/x"] {
        let reply = probe.get(path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.text().contains("/live and /ready only"), "{}", reply.text());
    }
    admin.drain();
    assert_eq!(probe.get("/ready").await.status, 503);
}

/// Kind: a probe that says that all is well while nothing is answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_blocked_fails_the_live_probe_until_it_runs_again() {
    let pulses = Pulses::new(1, Duration::from_millis(5));
    let listeners = listeners((Ipv4Addr::LOCALHOST, 0).into(), 1).unwrap();
    let weir = Caller::new(listeners[0].local_addr().unwrap());
    let (release, blocked) = mpsc::channel::<()>();
    let blocked = Arc::new(Mutex::new(blocked));
    let make = move |_| {
        let blocked = blocked.clone();
        tower::service_fn(move |_: Request<Body>| {
            // Blocks the thread, which no worker should.
            let _ = blocked.lock().unwrap().recv();
            async { Ok::<_, Infallible>(Response::new(Body::empty())) }
        })
    };
    let options = ServeOptions { pulses: pulses.clone(), ..ServeOptions::default() };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let workers = tokio::spawn(run_workers(listeners, make, options, async move {
        let _ = stopped.await;
    }));
    let bed = Testbed::new().start().await;
    let stalled_after = Duration::from_millis(100);
    let settings =
        AdminSettings { pulses: pulses.clone(), stalled_after, ..AdminSettings::default() };
    let (admin, _running) = pages(bed.governor().clone(), settings).await;
    until(|| pulses.stalled(stalled_after).is_none()).await;
    let call = tokio::spawn(async move { weir.get("/").await.status });
    until(|| pulses.stalled(stalled_after).is_some()).await;
    let live = admin.get("/live").await;
    assert_eq!((live.status.as_u16(), &live.json()["live"]), (503, &json!(false)));
    let reason = live.json()["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason.starts_with("worker 0 has not run for "), "{reason}");
    release.send(()).unwrap();
    assert_eq!(call.await.unwrap(), 200);
    until(|| pulses.stalled(stalled_after).is_none()).await;
    stop.send(()).unwrap();
    assert_eq!(workers.await.unwrap().unwrap(), Drained::default());
    assert_eq!(pulses.stalled(Duration::ZERO), None, "a worker that has ended does not stall");
}

/// `weir run` before this upstream, with an address for probes; the answer of `/ready?deep` there,
/// and the reason that the admin address gives.
async fn deep(upstream: SocketAddr) -> (u16, Value, Value) {
    let upstream = format!("http://{upstream}");
    let any = "127.0.0.1:0";
    let mut program = Program::start(&[
        "run",
        "--upstream",
        &upstream,
        "--listen",
        any,
        "--admin",
        any,
        "--probes",
        any,
        "--log-format",
        "json",
    ]);
    let ready = program.json_until("weir is ready");
    let caller = |name: &str| {
        let address = ready[name].as_str().and_then(|url| url.strip_prefix("http://"));
        Caller::new(address.expect("an address").parse().expect("an address"))
    };
    let probe = caller("probes");
    assert_eq!(probe.get("/ready").await.status, 200);
    let reply = probe.get("/ready?deep").await;
    let reason = caller("admin").get("/ready?deep").await.json()["reason"].clone();
    (reply.status.as_u16(), reply.json(), reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deep_probe_says_whether_upstream_answers_and_why_not() {
    let bed = Testbed::new().without_weir().start().await;
    let answers = json!({ "ready": true, "upstream": "answers" });
    assert_eq!(deep(bed.upstream.address()).await, (200, answers, Value::Null));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (status, told, reason) = deep(nobody).await;
    let reason = reason.as_str().unwrap_or_default();
    // Whoever reaches the probes need not know where upstream is.
    let hidden = json!({
        "ready": false,
        "reason": "upstream does not answer; the admin address says why",
    });
    assert_eq!((status, told), (503, hidden));
    assert!(reason.starts_with("upstream is unreachable: "), "{reason}");
    let gateway = Listener::new().await;
    let address = gateway.address();
    let answering = tokio::spawn(async move {
        gateway.answer("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").await
    });
    let (status, _, reason) = deep(address).await;
    assert_eq!((status, reason), (503, json!("upstream answered 503")));
    let (head, _) = answering.await.unwrap();
    assert!(head.starts_with("HEAD / HTTP/1.1\r\n"), "{head}");
    assert!(!head.to_ascii_lowercase().contains("authorization"), "{head}");
}

/// What `weir health` prints with these arguments and variables, and how it exits.
fn health(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = weir(&[&["health"], arguments].concat());
    let output = command.envs(variables.iter().copied()).output().expect("weir runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let told = String::from_utf8(output.stdout).expect("text");
    (output.status.code(), told.trim_end().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn weir_health_asks_the_probes_or_else_the_admin_address_and_its_exit_code_tells() {
    let bed = Testbed::new().start().await;
    let admin = Admin::new(bed.governor().clone(), "{}".into());
    let running = admin.clone();
    let server = Server::start(|listener, stopped| async move {
        let _drained = running.run_probes(listener, stopped).await;
    })
    .await;
    let address = server.address.to_string();
    let everywhere = format!("0.0.0.0:{}", server.address.port());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("weir.toml");
    let text = format!("[admin]\naddress = \"{address}\"\n");
    std::fs::write(&file, text).expect("a file");
    let file = file.to_str().expect("a path");
    type Way<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)]);
    let ways: [Way<'_>; 5] = [
        (&["--address", &address], &[]),
        (&["--config", file], &[]),
        (&[], &[("WEIR_CONFIG", file)]),
        (&[], &[("WEIR_PROBES", &everywhere), ("WEIR_ADMIN", "127.0.0.1:1")]),
        (&[], &[("WEIR_ADMIN", &address)]),
    ];
    for (arguments, variables) in ways {
        let found = health(arguments, variables);
        assert_eq!(found, (Some(0), "ready".to_owned()), "{arguments:?} {variables:?}");
    }
    let (code, told) = health(&["--address", &address, "--deep"], &[]);
    assert_eq!((code, told.as_str()), (Some(1), "not ready: there is no way to ask upstream"));
    admin.drain();
    let (code, told) = health(&["--address", &address], &[]);
    assert_eq!((code, told.as_str()), (Some(1), "not ready: it stops"));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (code, told) = health(&["--address", &nobody], &[]);
    assert_eq!(code, Some(1));
    assert!(told.starts_with(&format!("not reachable at {nobody}: ")), "{told}");
    let (code, told) = health(&[], &[("WEIR_ADMIN", "off")]);
    let off = "cannot ask: neither the probes nor the admin API have an address";
    assert_eq!((code, told.as_str()), (Some(1), off));
    let (code, told) = health(&[], &[("WEIR_PROBES", "127.0.0.1:0")]);
    assert_eq!(code, Some(1));
    assert!(told.contains("name it with --address"), "{told}");
    let (code, told) = health(&[], &[("WEIR_CONFIG", "no/such.toml")]);
    assert_eq!(code, Some(1));
    assert!(told.contains("there is no such file"), "{told}");
    let (code, told) = health(&["--address", &bed.weir.address().to_string()], &[]);
    assert_eq!(code, Some(1));
    assert!(told.contains("has no such page: status "), "{told}");
}
