//! How a store uses its anchors: no commit adds to the ledger of a database that is older than what was shown of it.

use super::{StoreError, sql::Growing};
use crate::{
    anchors::{
        self, AnchorAddress, AnchorError, Anchors, Expected, Missing, Past, Pending, Permit, Standing,
    },
    domain::ledger::Head,
};

/// Opens the anchors of a database, which are made if they are missing. `halt` halts a database from before a restore that
/// was accepted, so that processes without the anchor notice it, too.
pub(super) fn open(
    addresses: &[AnchorAddress],
    ledger: &Growing,
    halt: impl FnOnce(&str),
) -> Result<Anchors, StoreError> {
    let anchors = Anchors::open(addresses, ledger.origin(), Missing::Create).map_err(|error| {
        let is_later = error.is_later();
        let error = StoreError::from(error);
        if is_later {
            halt(&error.to_string());
        }
        error
    })?;
    if let Some(anchor) = addresses.first().filter(|_| anchors.known().is_empty()) {
        let size = ledger.head().size;
        log::info!(
            "the anchor '{anchor}' is new: it knows nothing of the first {size} entries of the ledger"
        );
    }
    Ok(anchors)
}

/// Whether one of these anchors is there. Then the database must be there, too: an empty one is not what the anchor knows.
///
/// # Errors
/// [`StoreError::AnchorAway`], [`StoreError::BadAnchor`].
pub fn is_anchored(addresses: &[AnchorAddress]) -> Result<bool, StoreError> {
    for address in addresses {
        if anchors::is_there(address)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Compares the ledger, as a transaction found it, with what is anchored. `past` reads what it was at a smaller size.
pub(super) fn permit<'a, E: From<StoreError>>(
    expected: Expected<'a>,
    ledger: &Growing,
    past: impl FnMut(u64) -> Result<Past, E>,
) -> Result<Permit<'a>, E> {
    if let Some(why) = ledger.halted() {
        return Err(StoreError::Behind(why.to_owned()).into());
    }
    if ledger.origin() != expected.origin() {
        let (before, now) = (expected.origin(), ledger.origin());
        return Err(StoreError::BadAnchor(format!(
            "a restore was accepted: the ledger was {before}, and is {now} by now: start this process again"
        ))
        .into());
    }
    let why = match expected.compare(ledger.head(), past)? {
        Standing::Stands(permit) => return Ok(permit),
        Standing::Behind { anchored: Head { size, .. }, found } => format!(
            "the database is older than its anchor: it has {} entries of the ledger, but {size} were committed",
            found.size
        ),
        Standing::Other { anchored: Head { size, .. }, .. } => {
            format!(
                "the database is not the one that its anchor knows: they differ at entry {size} of the ledger"
            )
        }
    };
    Err(StoreError::Behind(format!("{why}; {REMEDY}")).into())
}

const REMEDY: &str = "nothing is formed, leased or signed until a newer copy is put back, or what is lost is put back from \
     bundles ('signwave ledger heal --help'), or the loss is accepted ('signwave ledger accept --help')";

/// What a trigger of the schema says with these words. Triggers refuse what a halted ledger does not allow.
pub(super) fn refusal(words: &str) -> StoreError {
    let says = |make: fn(String) -> StoreError| make(words.to_owned());
    says(if words.starts_with(HALTED) { StoreError::Behind } else { StoreError::Refused })
}

/// How such a refusal begins, in `migrations/`.
const HALTED: &str = "this database is older than what was shown of it";

/// Tells the anchors what became of a commit that they know of.
pub(super) fn settle<T>(pending: Option<Pending<'_>>, result: &Result<T, StoreError>) {
    let Some(pending) = pending else { return };
    match result {
        Ok(_) => pending.committed(),
        // Whether it was made shows in the database: a file that was moved has it in its log.
        Err(StoreError::UnknownOutcome(_) | StoreError::Misplaced(_)) => drop(pending),
        Err(_) => pending.rolled_back(),
    }
}

impl From<AnchorError> for StoreError {
    fn from(error: AnchorError) -> Self {
        match error {
            error if error.is_later() => Self::Behind(error.to_string()),
            AnchorError::OtherOrigin { .. } => Self::Behind(format!("{error}; {REMEDY}")),
            error if error.is_transient() => Self::AnchorAway(error.to_string()),
            error => Self::BadAnchor(error.to_string()),
        }
    }
}
