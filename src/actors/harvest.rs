//! Harvest: having batches formed, then leasing as many as there is room for.

use super::{
    db::ask,
    ingest::Links,
    messages::{Feed, LeaseBatches, Leased, ReadStatus},
};
use crate::store::{OpenedBatches, StoreError};

/// What an attempt to lease came to.
pub(super) enum Harvest {
    NotFed,
    Leased(OpenedBatches, Vec<Leased>),
    NoActiveKey { waiting: u64 },
    Failed(StoreError),
}

/// Has batches formed, then leases them. `idle`: nothing is in hand, so that finding no key may
/// mean that there is none.
pub(super) async fn harvest(links: &Links, request: LeaseBatches, feed: Feed, idle: bool) -> Harvest {
    let opened = match links.feed.send(feed).await {
        Ok(Ok(opened)) => opened,
        // Emit has said so, and tries again.
        Ok(Err(_)) | Err(_) => return Harvest::NotFed,
    };
    if opened.open == 0 {
        return Harvest::Leased(opened, vec![]);
    }
    match ask(&links.db.lease, request).await {
        Ok(leased) if leased.is_empty() && idle => match ask(&links.db.status, ReadStatus).await {
            Ok(status) if status.keys.active == 0 => Harvest::NoActiveKey { waiting: status.waiting() },
            Ok(_) => Harvest::Leased(opened, leased),
            Err(error) => Harvest::Failed(error),
        },
        Ok(leased) => Harvest::Leased(opened, leased),
        Err(error) => Harvest::Failed(error),
    }
}
