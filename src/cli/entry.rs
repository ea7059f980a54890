//! Opens the sockets at which callers come in, or takes the one that was handed over.

use super::start_error::StartError;
#[cfg(unix)]
use crate::edge::{SocketFile, unix_listeners};
use crate::{
    config::{Listen, ListenAddress},
    edge::{Listener, handed_over, listeners},
};
use std::{io, path::Path};

/// Where callers come in.
pub(super) struct Entry {
    /// One for each worker.
    pub listeners: Vec<Listener>,
    /// Where they listen: with the port that was taken, or what was handed over.
    pub address: ListenAddress,
    /// Removed with this.
    #[cfg(unix)]
    _file: Option<SocketFile>,
}

impl Entry {
    pub(super) fn open(listen: &Listen, workers: usize) -> Result<Self, StartError> {
        if let Some(listeners) = handed_over(workers).map_err(StartError::HandedOver)? {
            tracing::info!("callers' socket was handed over: `listen.address` is not used");
            return Ok(Self::of(listeners, &listen.address));
        }
        let listening = StartError::listening("callers", "--listen", &listen.address);
        match &listen.address {
            ListenAddress::Tcp(address) => {
                let listeners = listeners(*address, workers).map_err(listening)?;
                let listeners = listeners.into_iter().map(Into::into).collect();
                Ok(Self::of(listeners, &listen.address))
            }
            ListenAddress::Unix(path) => Self::at_file(path, listen, workers).map_err(listening),
        }
    }

    fn of(listeners: Vec<Listener>, named: &ListenAddress) -> Self {
        let address = match listeners.first() {
            Some(Listener::Tcp(listener)) => listener.local_addr().ok().map(ListenAddress::Tcp),
            #[cfg(unix)]
            Some(Listener::Unix(listener)) => {
                let address = listener.local_addr().ok();
                let path = address.and_then(|address| Some(address.as_pathname()?.to_owned()));
                Some(ListenAddress::Unix(path.unwrap_or_default()))
            }
            None => None,
        };
        let address = address.unwrap_or_else(|| named.clone());
        Self {
            listeners,
            address,
            #[cfg(unix)]
            _file: None,
        }
    }

    #[cfg(unix)]
    fn at_file(path: &Path, listen: &Listen, workers: usize) -> io::Result<Self> {
        let (listeners, file) = unix_listeners(path, listen.socket_mode, workers)?;
        Ok(Self { listeners, address: listen.address.clone(), _file: Some(file) })
    }

    #[cfg(not(unix))]
    fn at_file(_: &Path, _: &Listen, _: usize) -> io::Result<Self> {
        Err(io::Error::other("this system has no Unix sockets"))
    }
}
