//! Something that listens on a port of its own until it is dropped.

use super::{
    Emulator, Governor, ServeOptions, Target, TaskTracker, Upstream, UpstreamSettings, Wire, serve,
    stack,
};
use futures_util::future::BoxFuture;
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

/// A running server.
pub(crate) struct Server<T = ()> {
    pub(crate) address: SocketAddr,
    /// Used or dropped: the server shuts down.
    pub(crate) stop: oneshot::Sender<()>,
    /// What it returns when it has ended.
    pub(crate) ended: JoinHandle<T>,
}

impl<T: Send + 'static> Server<T> {
    /// Runs this on a listener, until the second argument resolves.
    pub(crate) async fn start<F>(run: impl FnOnce(TcpListener, BoxFuture<'static, ()>) -> F) -> Self
    where
        F: Future<Output = T> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::spawn(run(listener, Box::pin(async move { drop(stopped.await) })));
        Self { address, stop, ended }
    }

    /// Connects to it.
    pub(crate) async fn caller(&self) -> Wire {
        Wire::new(TcpStream::connect(self.address).await.expect("a connection"))
    }

    /// Sends one request over a connection of its own; returns everything that comes back until
    /// the server closes it.
    pub(crate) async fn ask(&self, request: &str) -> String {
        let mut caller = self.caller().await;
        caller.write(request).await;
        caller.rest().await
    }
}

impl Server {
    pub(crate) async fn of_emulator(emulator: Emulator) -> Self {
        Self::start(|listener, stopped| async move {
            emulator.run(listener, stopped).await.expect("a listener");
        })
        .await
    }

    /// Runs Weir before the upstream at this address.
    pub(crate) async fn of_weir(governor: Arc<Governor>, upstream: SocketAddr) -> Self {
        Self::of_weir_before(governor, Self::upstream_at(upstream)).await
    }

    /// Runs Weir before an upstream that is called as the settings say.
    pub(crate) async fn of_weir_before(
        governor: Arc<Governor>,
        upstream: UpstreamSettings,
    ) -> Self {
        let work = TaskTracker::new();
        let upstream = Upstream::new(upstream).expect("a client");
        let service = stack(governor, upstream, work.clone());
        let options = ServeOptions { work, ..ServeOptions::default() };
        Self::start(|listener, stopped| async move {
            let _drained = serve(listener, service, options, stopped).await;
        })
        .await
    }

    /// Returns the usual settings for an upstream at this address.
    pub(crate) fn upstream_at(address: SocketAddr) -> UpstreamSettings {
        let target: Target = format!("http://{address}").parse().expect("a target");
        UpstreamSettings::new(target)
    }
}
