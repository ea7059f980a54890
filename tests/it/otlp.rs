//! Traces, as a collector gets them over a real socket: which spans, whose children, with what in
//! them; and what goes up. Only with the feature `otlp`.

use crate::testbed::{Program, lines_of};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::any_value::Value,
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use prost::Message;
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
    thread,
};
use tempfile::TempDir;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// Serves HTTP: gives each head and body to `take`, and answers what it returns.
fn server(take: impl Fn(String, Vec<u8>) -> String + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let take = take.clone();
            thread::spawn(move || serve(stream, take));
        }
    });
    address
}

fn serve(stream: TcpStream, take: impl Fn(String, Vec<u8>) -> String) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if !matches!(reader.read_line(&mut head), Ok(1..)) {
                return;
            }
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        let mut body = vec![0; length.unwrap_or(0)];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        if reader.get_mut().write_all(take(head, body).as_bytes()).is_err() {
            return;
        }
    }
}

/// A collector, and the configuration that sends spans to it.
struct Collector {
    spans: Receiver<Vec<Span>>,
    folder: TempDir,
}

impl Collector {
    fn new() -> Self {
        let (send, spans) = channel();
        let address = server(move |head, body| {
            assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
            assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
            let request = ExportTraceServiceRequest::decode(&*body).expect("spans");
            for of in request.resource_spans {
                let resource = of.resource.expect("a resource");
                let service = text(&resource.attributes, "service.name");
                assert_eq!(service.as_deref(), Some("weir"));
                let spans = of.scope_spans.into_iter().flat_map(|scope| scope.spans);
                let _ = send.send(spans.collect());
            }
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()
        });
        Self { spans, folder: config(&address, "") }
    }

    fn config(&self) -> String {
        path(&self.folder)
    }

    /// Stops the program, which sends what waits, and returns all spans.
    fn all(self, program: Program) -> Spans {
        program.signal("TERM");
        let ended = program.ended();
        assert_eq!(ended.code, Some(0), "{:?}", ended.errors);
        Spans(self.spans.try_iter().flatten().collect())
    }
}

/// Writes a configuration that sends spans there.
fn config(collector: &str, more: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!("[otlp]\nendpoint = \"http://{collector}/v1/traces\"\n{more}");
    fs::write(folder.path().join("weir.toml"), text).expect("a file");
    folder
}

fn path(folder: &TempDir) -> String {
    folder.path().join("weir.toml").display().to_string()
}

type Attributes = [opentelemetry_proto::tonic::common::v1::KeyValue];

fn value(attributes: &Attributes, key: &str) -> Option<Value> {
    attributes.iter().find(|one| one.key == key)?.value.clone()?.value
}

fn text(attributes: &Attributes, key: &str) -> Option<String> {
    match value(attributes, key)? {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        Value::BoolValue(is) => Some(is.to_string()),
        Value::ArrayValue(all) => {
            let texts = all.values.into_iter().filter_map(|one| match one.value {
                Some(Value::StringValue(text)) => Some(text),
                _ => None,
            });
            Some(texts.collect::<Vec<_>>().join("; "))
        }
        other => panic!("{other:?}"),
    }
}

struct Spans(Vec<Span>);

impl Spans {
    /// The spans of this name.
    fn named(&self, name: &str) -> Vec<&Span> {
        self.0.iter().filter(|span| span.name == name).collect()
    }

    /// The one span of this name.
    fn one(&self, name: &str) -> &Span {
        let found = self.named(name);
        let [one] = found[..] else { panic!("{} spans {name}: {:#?}", found.len(), self.0) };
        one
    }

    /// The names of a span's children.
    fn children(&self, of: &Span) -> Vec<&str> {
        let children = self.0.iter().filter(|span| span.parent_span_id == of.span_id);
        children.map(|span| span.name.as_str()).collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What an attribute of a span says; nothing where it has none.
fn says(span: &Span, key: &str) -> String {
    text(&span.attributes, key).unwrap_or_default()
}

/// Starts `weir run` before an upstream. Returns it with the address at which it listens, and the
/// admin address.
fn run(config: &str, upstream: &str) -> (Program, String, String) {
    let upstream = format!("http://{upstream}");
    let arguments = [
        "run",
        "--config",
        config,
        "--upstream",
        &upstream,
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--log-format",
        "json",
        "--log-level",
        "info",
    ];
    let mut program = Program::start(&arguments);
    let ready = program.json_until("weir is ready");
    let of = |key: &str| ready[key].as_str().expect("an address").to_owned();
    let (listen, admin) = (of("listen"), of("admin"));
    (program, listen, admin)
}

/// An upstream that answers 404 to all, and the heads that it got.
fn upstream() -> (String, Receiver<String>) {
    let (send, heads) = channel();
    let address = server(move |head, _| {
        let _ = send.send(head);
        "HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n".to_owned()
    });
    (address, heads)
}

/// The span that a head names as its parent, and whether it is sampled.
fn parent_of(head: &str) -> (String, String, bool) {
    let line = head.lines().find_map(|line| line.strip_prefix("traceparent: ")).expect("a parent");
    let parts: Vec<&str> = line.split('-').collect();
    let ["00", trace, span, flags] = parts[..] else { panic!("{line}") };
    (trace.to_owned(), span.to_owned(), flags == "01")
}

#[test]
fn the_spans_of_a_call_continue_its_trace_and_upstream_continues_theirs() {
    let (collector, (address, heads)) = (Collector::new(), upstream());
    let (program, weir, _) = run(&collector.config(), &address);
    let header = format!("-H 'traceparent: 00-{TRACE}-{PARENT}-01' -H 'tracestate: a=b'");
    let secret = "-H 'authorization: Bearer s3cret'";
    lines_of(&format!("curl -s {header} {secret} '{weir}/products?token=s3cret'"));
    lines_of(&format!("curl -s {header} {secret} -X POST {weir}/checkouts/7/sources/src-1"));
    let spans = collector.all(program);
    assert!(spans.0.iter().all(|span| hex(&span.trace_id) == TRACE), "{:#?}", spans.0);
    // What no rule is about.
    let plain = spans.one("GET");
    assert_eq!(hex(&plain.parent_span_id), PARENT);
    assert_eq!(plain.kind(), SpanKind::Server);
    assert_eq!(
        (says(plain, "weir.governed"), says(plain, "http.response.status_code")),
        ("false".into(), "404".into())
    );
    assert_eq!(spans.children(plain), ["upstream GET"]);
    // What a rule is about.
    let attach = spans.one("checkouts attach");
    assert_eq!(hex(&attach.parent_span_id), PARENT);
    for (key, expected) in [
        ("weir.governed", "true"),
        ("weir.dialect", "checkouts"),
        ("weir.call", "attach"),
        ("weir.decision", "forwarded"),
        ("weir.session", "checkout 7"),
        ("http.request.method", "POST"),
        ("http.response.status_code", "404"),
    ] {
        assert_eq!(says(attach, key), expected, "{key}");
    }
    assert!(!says(attach, "weir.mode").is_empty() && !says(attach, "weir.decision_id").is_empty());
    let mut children = spans.children(attach);
    children.sort_unstable();
    assert_eq!(children, ["send", "upstream POST", "wait for the turn"]);
    let sent = spans.one("upstream POST");
    assert_eq!((sent.kind(), says(sent, "weir.step").as_str()), (SpanKind::Client, "attach"));
    assert_eq!(sent.status.as_ref().map(|status| status.code()), Some(StatusCode::Error));
    // Each head upstream names the span of its own request, and carries the state on.
    let asked = spans.0.iter().filter(|span| span.kind() == SpanKind::Client);
    let ids: Vec<String> = asked.map(|span| hex(&span.span_id)).collect();
    let heads: Vec<String> = heads.try_iter().collect();
    assert_eq!(heads.len(), 2);
    for head in &heads {
        let (trace, span, is_sampled) = parent_of(head);
        assert_eq!((trace.as_str(), is_sampled), (TRACE, true));
        assert!(ids.contains(&span) && head.contains("tracestate: a=b\r\n"), "{head}");
    }
    // No secret is in any span.
    assert!(!format!("{:?}", spans.0).contains("s3cret"));
}

#[test]
fn the_caller_says_whether_its_trace_is_sampled() {
    let (collector, (address, heads)) = (Collector::new(), upstream());
    let (program, weir, _) = run(&collector.config(), &address);
    let header = format!("-H 'traceparent: 00-{TRACE}-{PARENT}-00'");
    lines_of(&format!("curl -s {header} {weir}/products"));
    lines_of(&format!("curl -s {header} -X POST {weir}/checkouts/7/sources/src-1"));
    // A call without a trace begins one, and so does one whose header is not valid.
    let odd = format!("-H 'traceparent: 00-{TRACE}-0-01' -H 'tracestate: a=b'");
    lines_of(&format!("curl -s -X PUT {weir}/products"));
    lines_of(&format!("curl -s -X PATCH {odd} {weir}/products"));
    let spans = collector.all(program);
    let heads: Vec<String> = heads.try_iter().collect();
    for head in &heads[..2] {
        let (trace, span, is_sampled) = parent_of(head);
        assert!(trace == TRACE && span != PARENT && !is_sampled, "{head}");
    }
    assert_eq!(spans.0.len(), 4, "{:#?}", spans.0);
    for (name, head) in ["PUT", "PATCH"].into_iter().zip(&heads[2..]) {
        let span = spans.one(name);
        let (trace, _, is_sampled) = parent_of(head);
        assert!(span.parent_span_id.is_empty() && is_sampled && trace != TRACE, "{head}");
        assert_eq!(hex(&span.trace_id), trace);
        assert!(!head.contains("tracestate"), "{head}");
    }
}

#[test]
fn a_repair_shows_its_turn_its_look_ups_and_each_of_its_steps() {
    let collector = Collector::new();
    let dev = Program::dev(&["--reorder", "--config", &collector.config()]);
    lines_of(&dev.walk());
    let spans = collector.all(dev);
    let repaired = spans.0.iter().find(|span| says(span, "weir.decision") == "reordered");
    let repaired = repaired.unwrap_or_else(|| panic!("a repair: {:#?}", spans.0));
    assert!(!says(repaired, "weir.rule").is_empty());
    let children = spans.0.iter().filter(|span| span.parent_span_id == repaired.span_id);
    let children: Vec<&Span> = children.collect();
    let steps: Vec<String> = children.iter().map(|span| says(span, "weir.step")).collect();
    for step in ["detach", "attach"] {
        assert!(steps.iter().any(|one| one == step), "{step}: {steps:?}");
    }
    let told = says(repaired, "weir.steps");
    assert!(told.contains("detach ") && told.contains(": answered 2"), "{told}");
    assert!(spans.0.iter().any(|span| span.name == "wait for the turn"), "{:#?}", spans.0);
    assert!(children.iter().any(|span| span.name == "send"), "{children:#?}");
    // All have ended after they began.
    assert!(spans.0.iter().all(|span| span.end_time_unix_nano >= span.start_time_unix_nano));
}

#[test]
fn a_fault_of_upstream_is_an_error_of_both_spans() {
    let collector = Collector::new();
    // Nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = gone.local_addr().expect("an address").to_string();
    drop(gone);
    let (program, weir, _) = run(&collector.config(), &address);
    lines_of(&format!("curl -s {weir}/products"));
    let spans = collector.all(program);
    for name in ["GET", "upstream GET"] {
        let span = spans.one(name);
        assert_eq!(says(span, "error.type"), "upstream_unreachable", "{name}");
        assert_eq!(span.status.as_ref().map(|status| status.code()), Some(StatusCode::Error));
    }
}

#[test]
fn a_collector_that_is_not_there_is_told_once_and_costs_no_call() {
    let gone = TcpListener::bind("127.0.0.1:0").expect("a port");
    let folder = config(&gone.local_addr().expect("an address").to_string(), "");
    drop(gone);
    let (address, _heads) = upstream();
    let (mut program, weir, admin) = run(&path(&folder), &address);
    let status = "-s -o /dev/null -w '%{http_code}\\n'";
    assert_eq!(lines_of(&format!("curl {status} {weir}/products")), ["404"]);
    let told = program.json_until("the collector took no spans");
    assert_eq!(told["spans"], 2, "{told}");
    let lost = lines_of(&format!("curl -s {admin}/metrics | grep 'weir_spans_total.*lost'"));
    assert_eq!(lost, [r#"weir_spans_total{end="lost"} 2"#]);
}
