//! The anchor of the next incarnation takes the place of an earlier one.

use super::{
    AnchorDatabase,
    session::{Generation, Unanswered},
};
use crate::{
    anchors::{
        AnchorError,
        address::{AnchorAddress, AnchorRows},
        line::{Line, header},
    },
    domain::ledger::{Head, Origin},
};

/// Ends the anchor of an incarnation, and begins that of the next one, which knows its head, in one transaction. Returns where
/// the earlier one is.
pub(in crate::anchors) fn succeed(
    rows: &AnchorRows,
    from: Origin,
    to: Origin,
    head: Head,
) -> Result<AnchorAddress, AnchorError> {
    let (earlier, _) = AnchorDatabase::open(rows, from, false)?;
    let AnchorDatabase { place, generation, session, certain, .. } = earlier;
    place.ask(move || {
        let later = Generation { number: to.incarnation.get().into(), ..generation.clone() };
        let first = [header(to).trim_end().to_owned(), Line::Seen(head).to_string()];
        let last = Line::Succeeded { by: to }.to_string();
        let mut session = session.ok_or_else(Unanswered::gone)?;
        session.succeed((&generation, certain.line, &last), (&later, &first))
    })?;
    Ok(aside(rows, from))
}

/// Where the anchor of an incarnation is when it was set aside.
pub(in crate::anchors) fn aside(rows: &AnchorRows, origin: Origin) -> AnchorAddress {
    AnchorAddress::Postgres(AnchorRows { aside: Some(origin.incarnation.get()), ..rows.clone() })
}
