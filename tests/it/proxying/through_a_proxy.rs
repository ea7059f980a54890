//! A proxy on the way to upstream, which opens tunnels (CONNECT).

use super::{
    tls::{answered_over_http2, authority},
    *,
};
use crate::testbed::{Program, weir};
use std::net::SocketAddr;

const GET: &str = "GET / HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n";

/// Opens one tunnel to this address, whatever name is asked for; returns what it was asked.
async fn tunnel(proxy: &Listener, to: SocketAddr) -> String {
    let mut from = proxy.accept().await;
    let asked = from.head().await;
    let mut to = TcpStream::connect(to).await.unwrap();
    from.write("HTTP/1.1 200 Connection established\r\n\r\n").await;
    tokio::spawn(async move { tokio::io::copy_bidirectional(&mut from.stream, &mut to).await });
    asked
}

async fn weir_through(proxy: &Listener, url: &str, ca_file: Option<&std::path::Path>) -> Proxy {
    weir_speaking(false, proxy, url, ca_file).await
}

async fn weir_speaking(
    http2: bool,
    proxy: &Listener,
    url: &str,
    ca_file: Option<&std::path::Path>,
) -> Proxy {
    let through = format!("http://Aladdin:opensesame@{}", proxy.address());
    Proxy::with(url, |settings| {
        settings.proxy = UpstreamProxy::new(&through);
        settings.ca_file = ca_file.map(Into::into);
        settings.http2 = http2;
    })
    .await
}

#[tokio::test]
async fn tls_to_upstream_goes_through_the_tunnel() {
    let (file, acceptor) = authority();
    let (upstream, proxy) = (Listener::new().await, Listener::new().await);
    // Only the proxy knows where this name leads.
    let weir = weir_through(&proxy, "https://localhost", Some(file.path())).await;
    let serve = async {
        let mut stream = acceptor.accept(upstream.accept().await.stream).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
        stream.flush().await.unwrap();
        (text(head), stream)
    };
    let (asked, (head, _stream), got) =
        tokio::join!(tunnel(&proxy, upstream.address()), serve, weir.ask(GET));
    assert_eq!(
        asked,
        "CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\
         Proxy-Authorization: Basic QWxhZGRpbjpvcGVuc2VzYW1l\r\n\r\n"
    );
    assert!(head.starts_with("GET / HTTP/1.1\r\n"), "{head}");
    assert!(!head.to_lowercase().contains("proxy-authorization"), "it is not upstream's: {head}");
    assert!(got.ends_with("\r\n\r\nok"), "{got}");
}

#[tokio::test]
async fn http2_goes_through_the_tunnel_where_upstream_chooses_it() {
    let (file, acceptor) = authority();
    let (upstream, proxy) = (Listener::new().await, Listener::new().await);
    let weir = weir_speaking(true, &proxy, "https://localhost", Some(file.path())).await;
    let serve = async {
        answered_over_http2(acceptor.accept(upstream.accept().await.stream).await.unwrap()).await
    };
    let (_asked, host, got) =
        tokio::join!(tunnel(&proxy, upstream.address()), serve, weir.ask(GET));
    assert_eq!(host, "localhost");
    assert!(got.ends_with("ok"), "{got}");
}

#[tokio::test]
async fn an_upstream_without_tls_has_a_tunnel_to_its_own_port() {
    let (upstream, proxy) = (Listener::new().await, Listener::new().await);
    let weir = weir_through(&proxy, "http://api.test", None).await;
    let (asked, _wire, got) = tokio::join!(
        tunnel(&proxy, upstream.address()),
        upstream.answer("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"),
        weir.ask(GET)
    );
    assert!(asked.starts_with("CONNECT api.test:80 HTTP/1.1\r\n"), "{asked}");
    assert_eq!(status(&got), "HTTP/1.1 204 No Content");
}

/// What upstream gets of a call that changes something, and what its caller gets.
async fn refused(answer: &str) -> String {
    let proxy = Listener::new().await;
    let weir = weir_through(&proxy, "https://localhost", None).await;
    let refuse = async {
        let mut wire = proxy.accept().await;
        let head = wire.head().await;
        assert!(head.starts_with("CONNECT localhost:443 "), "{head}");
        wire.write(answer).await;
        drop(wire);
        // One try, and no more.
        proxy.accept().await;
        unreachable!("it was asked again");
    };
    let post = "POST /x HTTP/1.1\r\nHost: w\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
    tokio::select! {
        got = weir.ask(post) => got,
        () = refuse => unreachable!("it waits"),
    }
}

#[tokio::test]
async fn a_proxy_that_opens_no_tunnel_is_a_bad_gateway_and_is_asked_once() {
    for answer in [
        "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 403 Forbidden\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n",
        "",
    ] {
        let got = refused(answer).await;
        assert_eq!(status(&got), "HTTP/1.1 502 Bad Gateway", "{answer:?}");
        assert!(got.contains("proxy-status: weir; error=destination_unavailable\r\n"), "{got}");
        assert!(got.contains("upstream_unreachable"), "{got}");
        assert!(!got.contains("opensesame"), "{got}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_down_is_named_as_such() {
    let proxy = Listener::new().await;
    let weir = weir_through(&proxy, "https://localhost", None).await;
    drop(proxy);
    let got = weir.ask(GET).await;
    assert_eq!(status(&got), "HTTP/1.1 502 Bad Gateway");
    assert!(got.contains("proxy-status: weir; error=connection_refused\r\n"), "{got}");
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_hangs_is_given_up_when_connecting_would_be() {
    let proxy = Listener::new().await;
    let weir = weir_through(&proxy, "https://localhost", None).await;
    let before = tokio::time::Instant::now();
    let hang = async {
        let mut wire = proxy.accept().await;
        wire.head().await;
        wire.rest().await
    };
    let (_, got) = tokio::join!(hang, weir.ask(GET));
    assert_eq!(before.elapsed().as_secs(), 5);
    assert_eq!(status(&got), "HTTP/1.1 502 Bad Gateway");
    assert!(got.contains("proxy-status: weir; error=connection_timeout\r\n"), "{got}");
}

/// `weir run` before an upstream whose name only a proxy knows, with these variables.
fn program(flags: &[&str], variables: &[(&str, &str)]) -> Program {
    let ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let url = ["run", "--upstream", "https://upstream.invalid"];
    let mut command = weir(&[&url[..], &ports, flags].concat());
    command.envs(variables.iter().copied());
    Program::of(command)
}

/// Asks Weir for something, and the admin API for the configuration.
fn asked(program: &mut Program) -> (String, String) {
    let ready = program.json_until("weir is ready");
    let url = |name: &str| ready[name].as_str().expect("a URL").to_owned();
    let script = format!("curl -si {}/x; echo; curl -s {}/config", url("listen"), url("admin"));
    let lines = crate::testbed::lines_of(&script);
    let json = lines.iter().position(|line| line == "{").expect("JSON");
    (lines[..json].join("\n"), lines[json..].join("\n"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_environment_names_the_proxy_and_no_page_or_line_shows_its_password() {
    let proxy = Listener::new().await;
    let url = format!("http://Aladdin:opensesame@{}", proxy.address());
    let shown = format!("http://{}", proxy.address());
    let refuse = tokio::spawn(async move {
        let mut wire = proxy.accept().await;
        let head = wire.head().await;
        wire.write("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
        head
    });
    let mut weir = program(&[], &[("HTTPS_PROXY", &url)]);
    let way = weir.json_until("how upstream is reached").to_string();
    assert!(way.contains(&format!("through the proxy {shown} (HTTPS_PROXY)")), "{way}");
    let asking = tokio::task::spawn_blocking(move || (asked(&mut weir), weir));
    let head = refuse.await.unwrap();
    let ((answer, config), mut weir) = asking.await.unwrap();
    assert!(head.starts_with("CONNECT upstream.invalid:443 "), "{head}");
    assert!(head.contains("Basic QWxhZGRpbjpvcGVuc2VzYW1l"), "{head}");
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    let line = weir.until_error("an exchange failed");
    assert!(line.contains(&format!("the proxy {shown} opened no tunnel")), "{line}");
    assert!(line.contains("authorization required"), "{line}");
    assert!(config.contains(&format!("through the proxy {shown} (HTTPS_PROXY)")), "{config}");
    weir.signal("TERM");
    let all = format!("{way}{answer}{config}{line}{:?}", weir.ended());
    assert!(!all.contains("opensesame"), "{all}");
}

#[test]
fn no_proxy_and_off_pass_a_proxy_by() {
    let nobody = "http://Aladdin:opensesame@127.0.0.1:1";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.toml");
    std::fs::write(&file, "[upstream]\nproxy = \"off\"\n").unwrap();
    let excepted: &[(&str, &str)] =
        &[("HTTPS_PROXY", nobody), ("no_proxy", ".invalid, 10.0.0.0/8")];
    for (flags, variables, told) in [
        (&[][..], excepted, "directly: no_proxy has it, and HTTPS_PROXY is not used"),
        (
            &["--config", file.to_str().unwrap()],
            &[("HTTPS_PROXY", nobody)],
            "directly: `upstream.proxy` is \"off\", and HTTPS_PROXY is not used",
        ),
    ] {
        let mut weir = program(flags, variables);
        let (answer, config) = asked(&mut weir);
        assert!(answer.contains("error=dns_error"), "it was looked for directly: {answer}");
        let config: serde_json::Value = serde_json::from_str(&config).unwrap();
        assert_eq!(config["way_to_upstream"], told);
    }
}

#[test]
fn a_proxy_that_weir_cannot_use_keeps_it_from_starting() {
    let weir = program(&[], &[("https_proxy", "socks5h://Aladdin:opensesame@proxy:1080")]);
    let ended = weir.ended();
    assert_eq!(ended.code, Some(1));
    let errors = ended.errors.join("\n");
    assert!(errors.contains("over `http` only"), "{errors}");
    assert!(errors.contains("environment variable https_proxy"), "{errors}");
    assert!(!errors.contains("opensesame"), "{errors}");
}

#[test]
fn check_says_which_way_would_be_taken() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.toml");
    let url = "url = \"https://upstream.invalid\"";
    let proxy = "proxy = \"http://Aladdin:opensesame@proxy.internal:3128\"";
    for (key, variable, told) in [
        (proxy, "", "reached through the proxy http://proxy.internal:3128 (upstream.proxy)"),
        ("", "http://me:opensesame@p:1", "reached through the proxy http://p:1 (HTTPS_PROXY)"),
        ("", "https://me:opensesame@p", "not be reached: HTTPS_PROXY: a proxy is spoken to over"),
    ] {
        std::fs::write(&file, format!("[upstream]\n{url}\n{key}\n")).unwrap();
        let mut command = weir(&["check", file.to_str().unwrap()]);
        let output = command.env("HTTPS_PROXY", variable).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && printed.contains(told), "{printed}");
        assert!(!printed.contains("opensesame"), "{printed}");
    }
    std::fs::write(&file, "[upstream]\nproxy = \"https://me:opensesame@p\"\n").unwrap();
    let output = weir(&["check", file.to_str().unwrap()]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success() && !printed.contains("opensesame"), "{printed}");
}
