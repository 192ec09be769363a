//! Checks the feed, after all batches were read.

use super::findings::Findings;
use crate::{
    domain::{
        Place,
        promises::{Batches, Feed},
    },
    store::{Audit, StoreError},
};

/// Positions read at a time.
const PAGE: usize = 500;

/// Reads the whole feed. What waits for a position is read before it, so that a batch that gets its position in between is
/// not missed.
pub(super) fn check(store: &dyn Audit, batches: &Batches, findings: &Findings) -> Result<(), StoreError> {
    let (waiting, mut feed, mut after) = (store.unsequenced()?, Feed::default(), Place(0));
    loop {
        let page = match store.feed(after, PAGE) {
            // The batch that cannot be read has been reported. It hides what comes behind it.
            Err(StoreError::Corrupt(_)) => return Ok(()),
            page => page?,
        };
        let Some(last) = page.last() else { break };
        after = last.place;
        for row in &page {
            let breaches = feed.see(row.place, row.batch.id, Some(row.batch.state));
            breaches.into_iter().for_each(|breach| findings.add(breach));
        }
    }
    feed.check_signed(batches, &waiting).for_each(|breach| findings.add(breach));
    Ok(())
}
