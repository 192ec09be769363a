//! A running server, and how it stops.

use std::{io, time::Duration};

use actix_rt::{task::JoinHandle, time::timeout};
use actix_server::ServerHandle;

use super::{listener::Unlink, stopping::Stopping};

/// A server that answers.
pub struct Running {
    pub(super) handle: ServerHandle,
    pub(super) server: JoinHandle<io::Result<()>>,
    pub(super) helpers: Vec<JoinHandle<()>>,
    pub(super) stopping: Stopping,
    pub(super) sockets: Vec<Unlink>,
}

impl Running {
    /// How long accepted requests may take to get their answers when the service stops, in seconds.
    pub(super) const LAST_ANSWERS: u64 = 2;

    /// Waits until `until` returns, then stops: waits and streams end first, then every accepted request gets its
    /// answer.
    pub async fn run(self, until: impl Future<Output = ()>) {
        let Self { handle, server, helpers, stopping, sockets } = self;
        tokio::pin!(server);
        tokio::select! {
            ended = &mut server => {
                log::error!("the API has ended: {}", describe(ended));
                return;
            }
            () = until => {}
        }
        stopping.begin();
        let stopped = timeout(Duration::from_secs(Self::LAST_ANSWERS + 1), async {
            handle.stop(true).await;
            drop(server.await);
        });
        if stopped.await.is_err() {
            log::warn!("the API did not stop in time");
        }
        helpers.iter().for_each(JoinHandle::abort);
        drop(sockets);
    }
}

fn describe(ended: Result<io::Result<()>, actix_rt::task::JoinError>) -> String {
    match ended {
        Ok(Ok(())) => "without an error".to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    }
}
