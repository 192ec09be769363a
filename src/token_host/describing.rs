//! Says what a token is and can do.

use cryptoki::{
    context::Pkcs11,
    error::Error,
    mechanism::MechanismType,
    slot::{Limit, Slot},
};

use super::fault::of_token;
use crate::signer::token::protocol::{Answer, Description, Fault};

/// The mechanisms that we use.
const MECHANISMS: [(&str, MechanismType); 3] = [
    ("CKM_RSA_PKCS", MechanismType::RSA_PKCS),
    ("CKM_RSA_PKCS_PSS", MechanismType::RSA_PKCS_PSS),
    ("CKM_RSA_PKCS_KEY_PAIR_GEN", MechanismType::RSA_PKCS_KEY_PAIR_GEN),
];

/// Describes the token in a slot.
pub(super) fn describe(
    module: &Pkcs11,
    slot: Slot,
    sessions: usize,
    tell: impl Fn(Answer),
) -> Result<(), Fault> {
    let failed = |error: Error| of_token("the token cannot be looked at", &error);
    let library = module.get_library_info().map_err(failed)?;
    let token = module.get_token_info(slot).map_err(failed)?;
    let offered = module.get_mechanism_list(slot).map_err(failed)?;
    let warnings = [
        (token.user_pin_count_low(), "a login with a wrong PIN has failed"),
        (token.user_pin_final_try(), "one more wrong PIN locks the token"),
        (token.user_pin_to_be_changed(), "the PIN is to be changed"),
        (token.error_state(), "the token reports an error state"),
    ];
    tell(Answer::Description(Description {
        library: format!("{} {}", library.library_description().trim(), library.library_version()),
        label: token.label().trim().to_owned(),
        serial: token.serial_number().trim().to_owned(),
        model: format!("{} {}", token.manufacturer_id().trim(), token.model().trim()),
        sessions,
        sessions_at_most: match token.max_session_count() {
            Limit::Max(count) => Some(count),
            Limit::Unavailable | Limit::Infinite => None,
        },
        mechanisms: MECHANISMS.map(|(name, kind)| (name.to_owned(), offered.contains(&kind))).to_vec(),
        warnings: warnings.into_iter().filter(|(is, _)| *is).map(|(_, words)| words.to_owned()).collect(),
    }));
    Ok(())
}
