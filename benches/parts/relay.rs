//! The least that a relay on hyper does: it takes an idle connection and gives it back. No hygiene,
//! no time-outs, no errors of its own.

use http::{HeaderValue, Request, Response, header};
use hyper::{body::Incoming, client::conn::http1::SendRequest, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{cell::RefCell, future::Future, net::SocketAddr, rc::Rc};
use tokio::net::{TcpListener, TcpStream};

pub(crate) async fn relay(listener: TcpListener, upstream: SocketAddr) {
    let idle = Idle::default();
    let host = HeaderValue::from_str(&upstream.to_string()).expect("an address");
    each_connection(listener, |stream| {
        let (idle, host) = (idle.clone(), host.clone());
        let service =
            service_fn(move |request| carry(request, idle.clone(), upstream, host.clone()));
        async move {
            drop(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await,
            )
        }
    })
    .await;
}

/// Serves each connection on this thread, in a `LocalSet`.
pub(crate) async fn each_connection<F: Future<Output = ()> + 'static>(
    listener: TcpListener,
    serve: impl Fn(TcpStream) -> F,
) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        tokio::task::spawn_local(serve(stream));
    }
}

type Idle = Rc<RefCell<Vec<SendRequest<Incoming>>>>;

async fn carry(
    mut request: Request<Incoming>,
    idle: Idle,
    upstream: SocketAddr,
    host: HeaderValue,
) -> hyper::Result<Response<Incoming>> {
    let mut sender = loop {
        let Some(sender) = idle.borrow_mut().pop() else {
            let stream = TcpStream::connect(upstream).await.expect("upstream listens");
            stream.set_nodelay(true).expect("a socket");
            let (sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            tokio::task::spawn_local(connection);
            break sender;
        };
        if sender.is_ready() {
            break sender;
        }
    };
    request.headers_mut().insert(header::HOST, host);
    let response = sender.send_request(request).await?;
    if sender.is_ready() {
        idle.borrow_mut().push(sender);
    } else {
        tokio::task::spawn_local(async move {
            if sender.ready().await.is_ok() {
                idle.borrow_mut().push(sender);
            }
        });
    }
    Ok(response)
}
