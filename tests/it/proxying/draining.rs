use super::*;
use std::net::Ipv4Addr;

const GET: &str = "GET / HTTP/1.1\r\nHost: w\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn a_shutdown_answers_what_was_asked_and_takes_nothing_new() {
    let upstream = Listener::new().await;
    let proxy = Proxy::before(&upstream).await;
    let mut resting = proxy.caller().await;
    resting.write(GET).await;
    let (_, mut first) = upstream.answer("HTTP/1.1 204 No Content\r\n\r\n").await;
    resting.head().await;
    let mut waiting = proxy.caller().await;
    waiting.write(GET).await;
    first.head().await;
    proxy.stop.send(()).unwrap();
    assert_eq!(resting.rest().await, "", "an unused connection is closed");
    assert!(TcpStream::connect(proxy.address).await.is_err(), "nobody listens");
    first.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let got = waiting.rest().await;
    assert!(got.contains("connection: close\r\n") && got.ends_with("\r\n\r\nok"), "{got}");
    assert_eq!(proxy.ended.await.unwrap(), Drained::default());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_waited_to_be_accepted_is_still_served() {
    let upstream = Listener::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut caller = Wire::new(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap());
    caller.write(GET).await;
    let settings = UpstreamSettings::new(format!("http://{}", upstream.address()).parse().unwrap());
    let at_once = std::future::ready(());
    let serving =
        tokio::spawn(serve(listener, proxying(settings), ServeOptions::default(), at_once));
    upstream.answer("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(status(&caller.head().await), "HTTP/1.1 204 No Content");
    assert_eq!(serving.await.unwrap(), Drained::default());
}

#[tokio::test(start_paused = true)]
async fn what_outlasts_the_drain_time_out_is_cut_and_counted() {
    let upstream = Listener::new().await;
    let work = TaskTracker::new();
    let options = ServeOptions {
        drain: Duration::from_secs(7),
        work: work.clone(),
        ..ServeOptions::default()
    };
    let settings = UpstreamSettings::new(format!("http://{}", upstream.address()).parse().unwrap());
    let proxy = Proxy::serving(proxying(settings), options).await;
    work.spawn(std::future::pending::<()>());
    let mut caller = proxy.caller().await;
    caller.write(GET).await;
    let mut wire = upstream.accept().await;
    wire.head().await;
    let before = tokio::time::Instant::now();
    proxy.stop.send(()).unwrap();
    let drained = proxy.ended.await.unwrap();
    assert_eq!(drained, Drained { connections_cut: 1, work_cut: 1 });
    assert_eq!(drained.to_string(), "1 connection and 1 upstream call were cut off");
    assert_eq!(before.elapsed().as_secs(), 7);
    assert_eq!((caller.rest().await, wire.rest().await), (String::new(), String::new()));
}

#[tokio::test]
async fn a_shutdown_waits_for_work_whose_caller_has_gone() {
    let work = TaskTracker::new();
    let options = ServeOptions { work: work.clone(), ..ServeOptions::default() };
    let proxy = Proxy::serving(
        proxying(UpstreamSettings::new("http://127.0.0.1:1".parse().unwrap())),
        options,
    )
    .await;
    let (open, gate) = oneshot::channel::<()>();
    work.spawn(async move { drop(gate.await) });
    proxy.stop.send(()).unwrap();
    tokio::task::yield_now().await;
    assert!(!proxy.ended.is_finished());
    open.send(()).unwrap();
    assert_eq!(proxy.ended.await.unwrap(), Drained::default());
}

#[tokio::test]
async fn every_worker_serves_and_all_stop_together() {
    let upstream = Listener::new().await;
    let listeners = listeners((Ipv4Addr::LOCALHOST, 0).into(), 2).unwrap();
    let address = listeners[0].local_addr().unwrap();
    let first = Upstream::new(UpstreamSettings::new(
        format!("http://{}", upstream.address()).parse().unwrap(),
    ))
    .unwrap();
    let make = move |_: Worker| before(first.another());
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(run_workers(listeners, make, ServeOptions::default(), async move {
        drop(stopped.await)
    }));
    for _ in 0..16 {
        let mut caller = Wire::new(TcpStream::connect(address).await.unwrap());
        caller.write("GET / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n").await;
        let (_, got) = tokio::join!(
            upstream.answer("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"),
            caller.rest()
        );
        assert_eq!(status(&got), "HTTP/1.1 204 No Content");
    }
    stop.send(()).unwrap();
    assert_eq!(running.await.unwrap().unwrap(), Drained::default());
}

#[tokio::test]
async fn a_worker_that_fails_ends_them_all_with_its_error() {
    let listeners = listeners((Ipv4Addr::LOCALHOST, 0).into(), 2).unwrap();
    let make = |worker: Worker| {
        assert_ne!(worker.index, 1, "made to fail");
        proxying(UpstreamSettings::new("http://127.0.0.1:1".parse().unwrap()))
    };
    let error = run_workers(listeners, make, ServeOptions::default(), std::future::pending())
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "worker 1 panicked");
}
