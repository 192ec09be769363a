//! Harvest: asks Emit to form batches, then leases as many as there is room for.

use super::{links::Links, state::Attempt};
use crate::{
    actors::{
        db::ask,
        messages::{Fed, Feed, LeaseBatches, Leased, ReadStatus},
    },
    domain::Scheme,
    store::StoreError,
};

/// The result of an attempt to lease.
pub(super) enum Harvest {
    NotFed,
    Leased(Fed, Vec<Leased>),
    NoActiveKey { waiting: u64 },
    Failed(StoreError),
}

/// Asks Emit to form batches, then leases them. If no key was found and nothing is in hand, checks whether any key
/// is active.
pub(super) async fn harvest(links: &Links, scheme: Scheme, attempt: Attempt) -> Harvest {
    let Attempt { node, room, is_idle, is_short } = attempt;
    let fed = match links.feed.send(Feed { want: room, stale: is_short }).await {
        Ok(Ok(fed)) => fed,
        // Emit has logged the error, and tries again.
        Ok(Err(_)) | Err(_) => return Harvest::NotFed,
    };
    if fed.open() == 0 {
        return Harvest::Leased(fed, vec![]);
    }
    match ask(&links.db.lease, LeaseBatches { node, scheme, limit: room }).await {
        Ok(leased) if leased.is_empty() && is_idle => match ask(&links.db.status, ReadStatus).await {
            Ok(status) if status.keys.active == 0 => Harvest::NoActiveKey { waiting: status.waiting() },
            Ok(_) => Harvest::Leased(fed, leased),
            Err(error) => Harvest::Failed(error),
        },
        Ok(leased) => Harvest::Leased(fed, leased),
        Err(error) => Harvest::Failed(error),
    }
}
