//! The loop: looks which webhooks are due, and has one delivery to each of them under way.

use std::{collections::BTreeMap, time::Duration};

use actix_rt::time::{sleep, timeout};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    task::{Id, JoinSet},
};

use super::{delivery::deliver, links::Links};
use crate::{
    actors::{Committed, call::call, outage::Outage},
    domain::WebhookName,
    store::StoreError,
};

/// How often the database is asked, because other nodes commit, too, and the time for a retry comes.
const POLL: Duration = Duration::from_secs(1);
/// How long after a commit it is asked: the batch has its position in the feed by then, and others may come with it.
const SETTLES: Duration = Duration::from_millis(20);
/// How long a stop waits for the messages that are under way. What they become is not known then, and they are sent again.
const ENDING: Duration = Duration::from_secs(5);

/// The deliveries that are under way in this process.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<()>,
    names: BTreeMap<Id, WebhookName>,
}

/// Sends messages until a stop is requested.
pub(super) async fn run(links: Links) {
    let (mut commits, mut under_way) = (links.commits.listen(), UnderWay::default());
    let (mut outage, stop) = (Outage::default(), links.stop.clone());
    loop {
        let looked = under_way.look(&links).await;
        outage.note("look for webhooks to call", &looked);
        let has_webhooks = looked.unwrap_or(false);
        tokio::select! {
            () = stop.requested(1) => break,
            Some(ended) = under_way.tasks.join_next_with_id(), if !under_way.names.is_empty() => {
                let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                under_way.names.remove(&id);
            }
            () = heard(&mut commits), if has_webhooks => sleep(SETTLES).await,
            () = sleep(POLL) => {}
        }
    }
    let ended = timeout(ENDING, async { while under_way.tasks.join_next().await.is_some() {} });
    if ended.await.is_err() {
        log::warn!("messages to webhooks did not end in time: they are sent again");
    }
}

impl UnderWay {
    /// Begins a delivery to each webhook that is due and has none. Returns whether there are webhooks. A node that is not
    /// registered, or has no master key, sends nothing.
    async fn look(&mut self, links: &Links) -> Result<bool, StoreError> {
        let Some(node) = links.vitals.node().filter(|_| links.keyring.has_master_key()) else {
            return Ok(false);
        };
        let look =
            |store: &dyn crate::store::Store| Ok((store.due_webhooks()?, !store.webhooks()?.is_empty()));
        let (due, has_webhooks) = call(&links.db, look).await?;
        for name in due {
            if !self.names.values().any(|under_way| *under_way == name) {
                let task = self.tasks.spawn_local(deliver(links.clone(), name.clone(), node));
                self.names.insert(task.id(), name);
            }
        }
        Ok(has_webhooks)
    }
}

/// Waits for a commit. All that were heard by then count as one.
async fn heard(commits: &mut Receiver<Committed>) {
    if let Err(RecvError::Closed) = commits.recv().await {
        std::future::pending::<()>().await;
    }
    while !commits.is_empty() {
        // A listener that was too slow has missed commits, and looks all the same.
        let _ = commits.try_recv();
    }
}
