//! Makes key pairs in a token.

use cryptoki::{error::Error, mechanism::Mechanism, object::Attribute, session::Session, types::Ulong};

use super::{fault::of_token, keys::describe};
use crate::signer::token::protocol::{Answer, Fault, ToGenerate};

/// Makes a pair with the exponent 65537, whose private half never leaves the token.
pub(super) fn generate(session: &Session, key: &ToGenerate, tell: impl Fn(Answer)) -> Result<(), Fault> {
    let (id, label) = (Attribute::Id(key.id.0.clone()), Attribute::Label(key.label.clone().into_bytes()));
    let public = [
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::ModulusBits(Ulong::from(u64::from(key.bits))),
        Attribute::PublicExponent(vec![1, 0, 1]),
        id.clone(),
        label.clone(),
    ];
    let private = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        id,
        label,
    ];
    let made = session.generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &public, &private);
    let failed = |error: Error| of_token(&format!("a key of {} bits could not be made", key.bits), &error);
    let (_, handle) = made.map_err(failed)?;
    tell(Answer::Key(describe(session, handle)?));
    Ok(())
}
