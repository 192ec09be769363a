//! Accepting a loss: the database goes on without it.

use std::slice::from_ref;

use super::RestoreError;
use crate::{
    anchors::{self, AnchorAddress, Attempt, Intended, Loss, LossError, Outcome, Passage, Reader},
    domain::{
        BatchState, By,
        ledger::{Head, Origin, Reason, Restored},
    },
    store::{self, AcceptVerdict, LedgerRow, Restores},
};

/// What is to be done.
#[derive(Debug)]
pub enum Plan {
    /// The loss is to be accepted.
    Accept(Loss),
    /// The loss of this incarnation was accepted before. Some of its anchors are not set aside yet.
    SetAside(Origin),
}

/// What a person decides.
#[derive(Clone, Copy, Debug)]
pub struct Acceptance<'a> {
    /// Why, for the entry of the restore.
    pub reason: &'a Reason,
    /// Whether what was signed and lost is to be signed again.
    pub signs_again: bool,
    /// Who decides it.
    pub by: &'a By,
}

/// What was done.
#[derive(Debug)]
pub struct Accepted {
    /// What the database says; `None` if the loss was accepted before.
    pub verdict: Option<AcceptVerdict>,
    /// Each anchor, and where the one before it is.
    pub aside: Vec<(AnchorAddress, AnchorAddress)>,
}

impl Plan {
    /// Compares a database with all its anchors.
    ///
    /// # Errors
    /// When nothing is lost, or the loss cannot be accepted.
    pub fn new(store: &dyn Restores, anchors: &[AnchorAddress]) -> Result<Self, RestoreError> {
        anchors::check_distinct(anchors)?;
        if let Some(before) = accepted_before(store, anchors)? {
            return Ok(Self::SetAside(before));
        }
        let ledger = store.ledger()?;
        let loss = Loss::read_any(anchors, ledger.origin, ledger.head)?;
        refuse_unnamed(&ledger, loss.size)?;
        let loss = loss.if_any()?;
        anchors::check_aside(anchors, ledger.origin)?;
        Ok(Self::Accept(loss))
    }

    /// Carries it out.
    ///
    /// What if we die here? The loss is accepted as a whole or not at all, and each anchor is the earlier one or the later one.
    /// A new plan does what is left.
    ///
    /// # Errors
    /// When the database or an anchor cannot be written, a node is at work, or the database has changed.
    pub fn carry_out(
        self,
        store: &dyn Restores,
        anchors: &[AnchorAddress],
        acceptance: Acceptance<'_>,
    ) -> Result<Accepted, RestoreError> {
        let (verdict, before) = match &self {
            Self::SetAside(before) => (None, *before),
            Self::Accept(loss) => {
                let Acceptance { reason, signs_again, by } = acceptance;
                let verdict = store.accept(store::Acceptance { loss, reason, signs_again }, by)?;
                if verdict == AcceptVerdict::Changed {
                    return Err(RestoreError::Changed);
                }
                (Some(verdict), loss.origin)
            }
        };
        let ledger = store.ledger()?;
        let set_aside = |anchor: &AnchorAddress| {
            let aside = anchors::succeed(anchor, before, ledger.origin, ledger.head)?;
            Ok((anchor.clone(), aside))
        };
        Ok(Accepted { verdict, aside: anchors.iter().map(set_aside).collect::<Result<_, RestoreError>>()? })
    }
}

/// The incarnation before this one, if the loss at its end was accepted and an anchor still belongs to it.
fn accepted_before(store: &dyn Restores, anchors: &[AnchorAddress]) -> Result<Option<Origin>, RestoreError> {
    let now = store.ledger()?.origin;
    let mut before = None;
    for address in anchors {
        let anchor = anchors::read(address)?;
        let origin = anchor.origin();
        if origin == now {
            continue;
        }
        if anchor.succeeded() == Some(now) && !anchors::is_aside(address, origin) {
            before = Some(origin);
            continue;
        }
        let restored = store.end_of(origin)?.filter(|_| origin.next() == Some(now));
        let Some(restored) = restored else { return Ok(None) };
        refuse_unknown(store, address, anchor, &restored)?;
        match Loss::read_any(from_ref(address), origin, Head { size: restored.kept, root: restored.root }) {
            // What is missing here, other anchors knew.
            Ok(_) | Err(LossError::Incomplete { .. }) => before = Some(origin),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(before)
}

/// Refuses an anchor that knows more than what was accepted, or something else: nothing would keep that from being signed again.
fn refuse_unknown(
    store: &dyn Restores,
    address: &AnchorAddress,
    anchor: Reader,
    restored: &Restored,
) -> Result<(), RestoreError> {
    let (mut known, accepted) = (0, restored.lost);
    for passage in anchor {
        match passage? {
            Passage::Seen(head) => known = known.max(head.size),
            Passage::Noted(_) => {}
            Passage::Attempt(Attempt { previous, next, entries, outcome }) => {
                known = known.max(if outcome == Outcome::RolledBack { previous.size } else { next.size });
                let is_committed = outcome == Outcome::Committed;
                for entry in entries.iter().filter(|entry| is_committed && entry.seq > restored.kept) {
                    if is_other(store, entry)? {
                        return Err(LossError::Diverged { anchor: address.clone(), at: entry.seq }.into());
                    }
                }
            }
        }
    }
    if known > accepted {
        return Err(RestoreError::Unknown { anchor: address.clone(), known, accepted });
    }
    Ok(())
}

/// Whether the batch of an entry was accepted as one of other records.
fn is_other(store: &dyn Restores, entry: &Intended) -> Result<bool, RestoreError> {
    let Some(batch) = entry.batch() else { return Ok(false) };
    let accepted = store.batch(batch.id)?.filter(|(found, _)| found.state == BatchState::Lost);
    Ok(accepted.is_some_and(|(_, records)| records != batch.records))
}

/// Refuses anchors that know of less than the one which has halted the database.
pub(super) fn refuse_unnamed(ledger: &LedgerRow, named: u64) -> Result<(), RestoreError> {
    match ledger.halted_size.filter(|known| *known > named) {
        Some(known) => Err(RestoreError::NotNamed { known, named }),
        None => Ok(()),
    }
}
