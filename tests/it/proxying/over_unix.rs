//! An upstream that is reached over a Unix socket.

use super::{
    tls::{answered_over_http2, authority},
    *,
};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};

const GET: &str = "GET / HTTP/1.1\r\nHost: w\r\n\r\n";

/// A socket in a folder of its own.
fn socket() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("up.sock");
    (folder, path)
}

async fn before_socket(url: &str, path: &Path) -> Proxy {
    Proxy::with(url, |settings| settings.socket = Some(path.to_owned())).await
}

/// Reads a head and answers it.
async fn answered<S>(stream: &mut S) -> String
where
    S: AsyncReadExt + AsyncWriteExt + Unpin,
{
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
    stream.flush().await.unwrap();
    text(head)
}

#[tokio::test]
async fn calls_go_over_the_socket_under_the_name_of_the_url_and_share_a_connection() {
    let (_folder, path) = socket();
    let upstream = UnixListener::bind(&path).unwrap();
    let proxy = before_socket("http://api.example.com/base", &path).await;
    let mut caller = proxy.caller().await;
    caller.write(GET).await;
    let mut stream: UnixStream = upstream.accept().await.unwrap().0;
    for _ in 0..2 {
        let head = answered(&mut stream).await;
        assert!(head.starts_with("GET /base/ HTTP/1.1\r\nhost: api.example.com\r\n"), "{head}");
        assert_eq!(status(&caller.head().await), "HTTP/1.1 200 OK");
        assert_eq!(caller.exactly(2).await, "ok");
        caller.write(GET).await;
    }
    assert!(answered(&mut stream).await.contains("host: api.example.com\r\n"));
}

#[tokio::test]
async fn tls_goes_over_the_socket_by_the_name_of_the_url() {
    let (file, acceptor) = authority();
    let (_folder, path) = socket();
    let upstream = UnixListener::bind(&path).unwrap();
    for (url, is_served) in [("https://localhost", true), ("https://other.example", false)] {
        let proxy = Proxy::with(url, |settings| {
            settings.socket = Some(path.clone());
            settings.ca_file = Some(file.path().to_owned());
            settings.http2 = false;
        })
        .await;
        let serve = async {
            let stream = acceptor.accept(upstream.accept().await.unwrap().0).await;
            match stream {
                Ok(mut stream) => Some((answered(&mut stream).await, stream)),
                Err(_) => None,
            }
        };
        let call = GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        let (served, got) = tokio::join!(serve, proxy.ask(&call));
        assert_eq!(served.is_some(), is_served, "{url}");
        if let Some((head, _stream)) = served {
            assert!(head.contains("host: localhost\r\n"), "{head}");
            assert!(got.ends_with("ok"), "{got}");
        } else {
            assert_eq!(status(&got), "HTTP/1.1 502 Bad Gateway");
            assert!(got.contains("error=tls_certificate_error"), "{got}");
        }
    }
}

#[tokio::test]
async fn http2_is_spoken_over_the_socket_where_upstream_chooses_it() {
    let (file, acceptor) = authority();
    let (_folder, path) = socket();
    let upstream = UnixListener::bind(&path).unwrap();
    let proxy = Proxy::with("https://localhost", |settings| {
        settings.socket = Some(path.clone());
        settings.ca_file = Some(file.path().to_owned());
    })
    .await;
    let serve = async {
        let stream = upstream.accept().await.unwrap().0;
        answered_over_http2(acceptor.accept(stream).await.unwrap()).await
    };
    let call = GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let (asked, got) = tokio::join!(serve, proxy.ask(&call));
    assert_eq!(asked, "localhost");
    assert!(got.ends_with("ok"), "{got}");
}

#[tokio::test]
async fn a_socket_at_which_nobody_listens_is_a_bad_gateway() {
    let (_folder, path) = socket();
    let call = GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    // An address at which somebody would answer is not used.
    let elsewhere = Listener::new().await;
    let proxy = before_socket(&format!("http://{}", elsewhere.address()), &path).await;
    let got = proxy.ask(&call).await;
    assert_eq!(status(&got), "HTTP/1.1 502 Bad Gateway", "there is no file");
    drop(UnixListener::bind(&path).unwrap());
    let got = proxy.ask(&call).await;
    assert_eq!(status(&got), "HTTP/1.1 502 Bad Gateway");
    assert!(got.contains("proxy-status: weir; error=connection_refused\r\n"), "{got}");
}
