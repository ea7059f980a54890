//! The page `/metrics`: what it counts, and that dashboard, alert rules and documentation use the
//! names that a running gateway shows.

use crate::testbed::{
    APPLY, Adjusted, Admin, Caller, GovernSettings, Governor, Listener, Mode, Program, RuleId,
    SUBMIT, Server, Testbed, Toggle, defaults, lines_of, method, reorders, thorough,
};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path, sync::Arc, time::Duration};

/// The samples of one scrape, as they are written.
struct Scrape(String);

impl Scrape {
    async fn of(governor: &Arc<Governor>) -> Self {
        let admin = Admin::new(governor.clone(), "{}".into());
        let server = Server::start(|listener, stopped| async move {
            let _drained = admin.run(listener, stopped).await;
        })
        .await;
        let shown = Caller::new(server.address).get("/metrics").await;
        assert_eq!(
            (shown.status.as_u16(), shown.header("content-type")),
            (200, Some("application/openmetrics-text; version=1.0.0; charset=utf-8"))
        );
        Self(shown.text())
    }

    /// The value of the sample with this name and these labels, as they are written.
    fn value(&self, sample: &str) -> f64 {
        let lines = self.0.lines();
        let values: Vec<&str> =
            lines.filter_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')).collect();
        let [value] = values[..] else { panic!("{sample} is there {}x\n{}", values.len(), self.0) };
        value.parse().expect("a number")
    }

    /// Each family and its type.
    fn families(&self) -> BTreeSet<(&str, &str)> {
        let types = self.0.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        types.collect()
    }

    /// Whether a sample of this name belongs to a family, by the family's type.
    fn has(&self, name: &str) -> bool {
        self.families().into_iter().any(|(family, kind)| {
            let ending = name.strip_prefix(family);
            match kind {
                "counter" => ending == Some("_total"),
                "histogram" => matches!(ending, Some("_bucket" | "_sum" | "_count")),
                _ => ending == Some(""),
            }
        })
    }
}

#[tokio::test]
async fn calls_rules_look_ups_and_turns_are_counted() {
    let bed = Testbed::new().policy(thorough()).start().await;
    let checkout = bed.checkout(100.0).await;
    let (card, credit) = (bed.card().await, bed.credit(5.0).await);
    for source in [&card, &credit] {
        let path = format!("/checkouts/{checkout}/sources/{source}");
        bed.weir.post(&path, Value::Null).await;
    }
    bed.weir.get("/drop-shippers").await;
    let scrape = Scrape::of(bed.governor()).await;
    for (sample, count) in [
        (
            r#"weir_calls_total{dialect="checkouts",call="attach",decision="rejected",status="4xx"}"#,
            1.0,
        ),
        (
            r#"weir_calls_total{dialect="checkouts",call="attach",decision="forwarded",status="2xx"}"#,
            1.0,
        ),
        (
            r#"weir_rule_hits_total{dialect="checkouts",rule="secondary-after-single-use-primary",decision="rejected"}"#,
            1.0,
        ),
        (r#"weir_ungoverned_calls_total{status="4xx"}"#, 1.0),
        ("weir_ungoverned_upstream_seconds_count", 1.0),
        (r#"weir_call_own_seconds_count{dialect="checkouts"}"#, 4.0),
        (r#"weir_call_upstream_seconds_count{dialect="checkouts"}"#, 4.0),
        (
            r#"weir_look_ups_total{dialect="checkouts",reason="rule",what="source",end="shown"}"#,
            1.0,
        ),
        ("weir_look_up_requests_total", 1.0),
        (r#"weir_repairs_total{end="stranded"}"#, 0.0),
        ("weir_sessions", 1.0),
        ("weir_sessions_capacity", 10_000.0),
        ("weir_sessions_dropped_total", 0.0),
        (r#"weir_mode{mode="enforce"}"#, 1.0),
    ] {
        assert_eq!(scrape.value(sample), count, "{sample}\n{}", scrape.0);
    }
    assert!(scrape.value("weir_turn_wait_seconds_count") >= 2.0);
    assert!(scrape.0.ends_with("# EOF\n"));
}

#[tokio::test]
async fn a_repair_is_counted_by_its_end() {
    let bed = Testbed::new().policy(reorders()).start().await;
    let shopper = bed.shopper(60.0).await;
    shopper.post(APPLY, method(&bed.card().await)).await;
    let repaired = shopper.post(APPLY, method(&bed.credit(20.0).await)).await;
    assert_eq!(repaired.header("weir-decision"), Some("reordered"));
    let scrape = Scrape::of(bed.governor()).await;
    assert_eq!(scrape.value(r#"weir_repairs_total{end="done"}"#), 1.0);
    let hit = r#"weir_rule_hits_total{dialect="carts",rule="primary-before-secondary",decision="reordered"}"#;
    assert_eq!(scrape.value(hit), 1.0);
}

#[tokio::test]
async fn a_lost_credit_that_was_prevented_is_counted() {
    let policy = defaults().with_rule(RuleId::PrimaryBeforeSecondary, Toggle::Off);
    let bed = Testbed::new().policy(policy).start().await;
    let shopper = bed.shopper(60.0).await;
    for source in [bed.card().await, bed.credit(20.0).await] {
        shopper.post(APPLY, method(&source)).await;
    }
    let refused = shopper.post(SUBMIT, Value::Null).await;
    assert_eq!(refused.verdict(), ("rejected", Some("lost-credit")));
    let scrape = Scrape::of(bed.governor()).await;
    assert_eq!(scrape.value(r#"weir_lost_credits_prevented_total{decision="rejected"}"#), 1.0);
}

#[tokio::test]
async fn bounds_that_are_met_and_an_upstream_that_is_not_there_are_counted() {
    let govern = GovernSettings { governed_body: 1024, answer: 1024, ..GovernSettings::default() };
    let bed = Testbed::new().govern(govern).start().await;
    let long = format!("{{\"currency\":\"USD\",\"note\":\"{}\"}}", "x".repeat(2000));
    assert_eq!(bed.weir.post_text("/checkouts", &long).await.status, 413);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = nobody.local_addr().expect("an address");
    drop(nobody);
    let lonely = Server::of_weir(bed.governor().clone(), address).await;
    let weir = bed.weir.at(lonely.address);
    assert_eq!(weir.get("/checkouts/1").await.status, 502);
    assert_eq!(weir.get("/drop-shippers").await.status, 502);
    let scrape = Scrape::of(bed.governor()).await;
    for (sample, count) in [
        (r#"weir_bounds_hit_total{bound="governed-body"}"#, 1.0),
        (r#"weir_bounds_hit_total{bound="turn-queue"}"#, 0.0),
        (r#"weir_own_answers_total{reason="request_too_large"}"#, 1.0),
        (r#"weir_upstream_faults_total{problem="upstream_unreachable"}"#, 1.0),
        (r#"weir_ungoverned_calls_total{status="none"}"#, 1.0),
    ] {
        assert_eq!(scrape.value(sample), count, "{sample}\n{}", scrape.0);
    }
}

/// Kind: an operator's time that is counted as Weir's.
#[tokio::test]
async fn the_time_of_a_call_that_went_up_unread_is_upstreams() {
    let bed = Testbed::new().policy(defaults().with_mode(Mode::Monitor)).start().await;
    let upstream = Listener::new().await;
    let weir = Server::of_weir(bed.governor().clone(), upstream.address()).await;
    let caller = bed.weir.at(weir.address);
    let call = tokio::spawn(async move { caller.post_text("/checkouts", "{,}").await.status });
    let mut wire = upstream.accept().await;
    wire.head().await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    wire.write("HTTP/1.1 400 Oh\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(call.await.expect("an answer"), 400);
    let scrape = Scrape::of(bed.governor()).await;
    let sum = |name: &str| scrape.value(&format!("{name}_sum{{dialect=\"checkouts\"}}"));
    assert!(sum("weir_call_upstream_seconds") >= 0.03, "{}", scrape.0);
    assert!(sum("weir_call_own_seconds") < sum("weir_call_upstream_seconds"), "{}", scrape.0);
}

#[cfg(unix)]
#[test]
fn reloads_are_counted_and_a_refused_one_shows_until_another_is_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("weir.toml");
    let write = |text: &str| {
        fs::write(&file, format!("[reload]\nwatch = false\n{text}")).expect("a file");
    };
    // A signal alone reads it again, so that each change is read once.
    write("[policy]\nmode = \"enforce\"\n");
    let flags = ["run", "--upstream", "http://127.0.0.1:1", "--listen", "127.0.0.1:0"];
    let more = ["--admin", "127.0.0.1:0", "--log-format=json", "--config"];
    let path = file.to_str().expect("a path");
    let mut program = Program::start(&[&flags[..], &more[..], &[path]].concat());
    let ready = program.json_until("weir is ready");
    let admin = ready["admin"].as_str().expect("an address").to_owned();
    let scrape = || Scrape(lines_of(&format!("curl -s {admin}/metrics")).join("\n"));
    let told = |scrape: &Scrape| {
        ["weir_config_generation", "weir_config_refused"].map(|name| scrape.value(name))
    };
    let first = scrape();
    assert_eq!(told(&first), [1.0, 0.0]);
    assert!(first.value("weir_config_taken_timestamp_seconds") > 1.7e9);
    write("[policy]\nmode = \"loud\"\n");
    program.signal("HUP");
    program.until_error("nothing has changed");
    assert_eq!(told(&scrape()), [1.0, 1.0]);
    write("[policy]\nmode = \"off\"\n");
    program.signal("HUP");
    program.until_error("what has changed is in force");
    let last = scrape();
    assert_eq!(told(&last), [2.0, 0.0]);
    for (sample, count) in [
        (r#"weir_config_reloads_total{result="taken"}"#, 1.0),
        (r#"weir_config_reloads_total{result="refused"}"#, 1.0),
        (r#"weir_mode{mode="off"}"#, 1.0),
    ] {
        assert_eq!(last.value(sample), count, "{sample}");
    }
}

/// Reads `name` or `name{labels}` wherever a text has a metric of Weir's.
fn names(text: &str) -> BTreeSet<(String, BTreeSet<String>)> {
    let is_word = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
    let named = text.match_indices("weir_").map(|(at, _)| {
        let rest = &text[at..];
        let (name, rest) = rest.split_at(rest.find(|sign| !is_word(sign)).unwrap_or(rest.len()));
        let selector = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let labels = selector.map_or("", |(labels, _)| labels).split(',');
        let labels = labels.filter_map(|label| Some(label.split_once('=')?.0.trim().to_owned()));
        (name.to_owned(), labels.filter(|label| label != "job").collect())
    });
    named.collect()
}

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("a page")
}

/// `weir dev` after the walk: refusals, repairs, look-ups, and calls that no rule is about.
fn scrape_of_the_program() -> Scrape {
    let dev = Program::dev(&["--reorder"]);
    lines_of(&dev.walk());
    let (weir, admin) = (dev.address("Weir"), dev.address("Admin"));
    lines_of(&format!("curl -s http://{weir}/nothing-governed -o /dev/null"));
    let head = lines_of(&format!("curl -sI http://{admin}/metrics"));
    let wanted = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(head.iter().any(|line| line == wanted), "{head:?}");
    Scrape(lines_of(&format!("curl -s http://{admin}/metrics")).join("\n"))
}

#[test]
fn the_dashboard_and_the_alert_rules_use_names_that_a_running_gateway_shows() {
    let scrape = scrape_of_the_program();
    assert!(scrape.value("weir_connections_accepted_total") > 0.0);
    assert_eq!(scrape.value("weir_config_generation"), 1.0);
    for file in ["config/grafana.json", "config/alerts.yaml"] {
        let names = names(&page(file));
        assert!(names.len() > 10, "{names:?}");
        for (name, labels) in names {
            assert!(scrape.has(&name), "{file}: {name}\n{}", scrape.0);
            let is_sample = |line: &&str| {
                line.strip_prefix(&*name).is_some_and(|rest| rest.starts_with(['{', ' ']))
            };
            for label in labels {
                let mut samples = scrape.0.lines().filter(is_sample);
                let has = |line: &str| line.contains(&format!("{label}=\""));
                assert!(samples.any(has), "{file}: {name} has no {label}\n{}", scrape.0);
            }
        }
    }
    let dashboard: Value = serde_json::from_str(&page("config/grafana.json")).expect("JSON");
    assert!(dashboard["panels"].as_array().is_some_and(|panels| panels.len() > 10));
}

#[tokio::test]
async fn every_metric_is_explained_and_no_other() {
    let bed = Testbed::new().start().await;
    let scrape = Scrape::of(bed.governor()).await;
    let shown: BTreeSet<String> =
        scrape.families().into_iter().map(|(family, _)| family.to_owned()).collect();
    let page = page("docs/metrics.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `weir_")?.split_once('`'));
    let explained: BTreeSet<String> = rows
        .map(|(name, _)| name.split('{').next().unwrap_or_default())
        .map(|name| format!("weir_{}", name.strip_suffix("_total").unwrap_or(name)))
        .collect();
    assert_eq!(explained, shown);
    // Where an operator looks first: samples, or all samples of a metric.
    for (name, _) in names(&self::page("docs/operating.md")) {
        assert!(scrape.has(&name) || shown.contains(&name), "docs/operating.md: {name}");
    }
}

/// Kind: an attack, or a broken client, that no number shows.
#[cfg(unix)]
#[test]
fn requests_that_are_not_taken_are_counted_by_their_problem() {
    use std::io::{Read, Write};
    let upstream = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", upstream.local_addr().expect("an address"));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("weir.toml");
    fs::write(&file, "[upstream]\ntimeout = \"50ms\"\n[limits]\nhead = \"8KiB\"\n")
        .expect("a file");
    let run = ["run", "--upstream", &url, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let more = ["--log-format=json", "--config", file.to_str().expect("a path")];
    let mut program = Program::start(&[&run[..], &more[..]].concat());
    let ready = program.json_until("weir is ready");
    let weir = ready["listen"].as_str().and_then(|url| url.strip_prefix("http://"));
    let status = |request: &str| {
        let mut caller = std::net::TcpStream::connect(weir.expect("one")).expect("a connection");
        caller.write_all(request.as_bytes()).expect("a request");
        let mut answer = [0; 12];
        caller.read_exact(&mut answer).expect("an answer");
        String::from_utf8_lossy(&answer[9..]).into_owned()
    };
    let long = format!("GET / HTTP/1.1\r\nHost: w\r\nx: {}\r\n\r\n", "x".repeat(9000));
    for (request, expected) in [
        ("TRACE / HTTP/1.1\r\nHost: w\r\n\r\n", "405"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"),
        ("GET / HTTP/1.1 and more\r\n\r\n", "400"),
        (&long, "431"),
        // The body never ends.
        ("POST /x HTTP/1.1\r\nHost: w\r\nContent-Length: 9\r\n\r\n{", "408"),
    ] {
        assert_eq!(status(request), expected, "{request:.40}");
    }
    let admin = ready["admin"].as_str().expect("an address");
    let scrape = Scrape(lines_of(&format!("curl -s {admin}/metrics")).join("\n"));
    for problem in ["trace_not_supported", "invalid_host", "malformed", "head_too_large"] {
        let sample = format!("weir_requests_refused_total{{problem=\"{problem}\"}}");
        assert_eq!(scrape.value(&sample), 1.0, "{problem}");
    }
    assert_eq!(scrape.value(r#"weir_bounds_hit_total{bound="body-rate"}"#), 1.0);
}
