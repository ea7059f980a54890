use super::*;
use crate::metrics::Metrics;
use opentelemetry::trace::{Span, Tracer};
use std::net::TcpListener;

/// Kind: a collector that does not answer and holds up whoever writes spans.
#[test]
fn spans_that_find_no_room_are_dropped_and_counted() {
    // It takes connections, and reads nothing.
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/v1/traces", collector.local_addr().unwrap());
    let metrics = Metrics::default();
    let settings = TraceSettings { endpoint, one_in: 1, queue: 128 };
    let traces = Traces::start(&settings, metrics.clone()).unwrap();
    for _ in 0..5000 {
        traces.tracer().start("call").end();
    }
    let text = metrics.text(Vec::new()).unwrap();
    let (_, dropped) = text.split_once("weir_spans_total{end=\"dropped\"} ").expect("a count");
    let dropped: u64 = dropped.lines().next().unwrap().parse().unwrap();
    // The thread holds a request's worth, and the queue its own.
    assert!((5000 - 512 - 128..5000).contains(&dropped), "{dropped}");
}
