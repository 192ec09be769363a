//! Running servers, and how they stop.

use std::{io, time::Duration};

use actix_rt::{
    task::{JoinError, JoinHandle},
    time::timeout,
};
use actix_server::ServerHandle;
use futures_util::future::{join_all, select_all};

use super::{listener::Unlink, stopping::Stopping};

/// Servers that answer.
pub struct Running {
    pub(super) servers: Vec<Answering>,
    pub(super) stopping: Stopping,
}

/// One of them. Each has its own connections, so that health and metrics answer when the API can take no more.
pub(super) struct Answering {
    pub(super) handle: ServerHandle,
    pub(super) server: JoinHandle<io::Result<()>>,
    /// Looks whether the certificate was replaced.
    pub(super) refreshing: Option<JoinHandle<()>>,
    /// The name of its socket, which goes with it.
    pub(super) _socket: Option<Unlink>,
}

impl Running {
    /// How long accepted requests may take to get their answers when the service stops, in seconds.
    pub(super) const LAST_ANSWERS: u64 = 2;

    /// Waits until `until` returns, then stops: waits and streams end first, then every accepted request gets its
    /// answer.
    pub async fn run(mut self, until: impl Future<Output = ()>) {
        tokio::pin!(until);
        let servers = self.servers.iter_mut().map(|answering| &mut answering.server);
        tokio::select! {
            (ended, _, _) = select_all(servers) => {
                log::error!("a listener has ended: {}", describe(ended));
                until.await;
            }
            () = &mut until => {}
        }
        self.stopping.begin();
        let stops = self.servers.iter().map(|answering| answering.handle.stop(true));
        let limit = Duration::from_secs(Self::LAST_ANSWERS + 1);
        if timeout(limit, join_all(stops)).await.is_err() {
            log::warn!("the API did not stop in time");
        }
        self.servers.iter().filter_map(|answering| answering.refreshing.as_ref()).for_each(JoinHandle::abort);
    }
}

fn describe(ended: Result<io::Result<()>, JoinError>) -> String {
    match ended {
        Ok(Ok(())) => "without an error".to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    }
}
