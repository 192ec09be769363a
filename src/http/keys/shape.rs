//! The shape of a key in JSON.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{Barred, Fingerprint, MaxSignatures},
    http::{
        names::{BarredName, KeyStateName},
        problem::{Kind, Problem},
    },
    signer::{CertificateChain, PublicKey},
    store::KeyRow,
};

/// A key.
#[derive(Serialize, ToSchema)]
#[schema(as = Key)]
pub struct KeyBody {
    /// Its id in this database, which events and the command line have, too.
    #[schema(example = "1")]
    id: String,
    /// Its name: SHA-256 of its DER SubjectPublicKeyInfo in hexadecimal.
    fingerprint: String,
    /// Bits of the modulus.
    bits: u32,
    /// Who has the private half: `database`, or a custodian by its name.
    custody: String,
    /// Its state: active, disabled, retired or suspended.
    #[schema(value_type = KeyStateName, example = "active")]
    state: &'static str,
    /// Why it is in that state.
    reason: Option<String>,
    /// Why it may not sign now although it is active: `not-yet-valid`, `expired`, or `exhausted`, if its limit leaves
    /// fewer signatures than any open batch has records.
    #[schema(value_type = Option<BarredName>)]
    barred: Option<&'static str>,
    /// How many signatures it may make in all.
    max_signatures: Option<i64>,
    /// From when on batches may be leased with it, by the database's clock (RFC 3339).
    not_before: Option<String>,
    /// From when on no batch is leased with it any more (RFC 3339).
    not_after: Option<String>,
    /// How many signatures were made with it and stored.
    signatures: i64,
    /// Its place in the order of use: the higher, the more recent. 0 is never.
    last_used_place: i64,
    /// The batch that is being signed with it.
    leased_batch: Option<String>,
    /// When it was added (RFC 3339).
    created_at: String,
    /// Its certificates as RFC 7517 has them: DER in base64, its own first, then each issuer. Only the answer to `GET
    /// /v1/keys/{fingerprint}` has them, if there are some.
    #[serde(skip_serializing_if = "Option::is_none")]
    x5c: Option<Vec<String>>,
}

impl From<&KeyRow> for KeyBody {
    fn from(key: &KeyRow) -> Self {
        Self {
            id: key.id.to_string(),
            fingerprint: key.fingerprint.to_string(),
            bits: key.bits,
            custody: key.custody.clone(),
            state: key.state.name(),
            reason: key.state_reason.clone(),
            barred: key.barred.map(Barred::name),
            max_signatures: key.limits.max_signatures.map(MaxSignatures::get),
            not_before: key.limits.not_before.map(|time| time.to_string()),
            not_after: key.limits.not_after.map(|time| time.to_string()),
            signatures: key.signature_count,
            last_used_place: key.last_leased,
            leased_batch: key.leased_batch.map(|batch| batch.to_string()),
            created_at: key.created_at.clone(),
            x5c: None,
        }
    }
}

impl KeyBody {
    /// The key with what is stored as its certificates.
    pub fn with_certificates(key: &KeyRow, stored: Option<&[u8]>) -> Self {
        Self { x5c: stored.and_then(|stored| x5c(key, stored)), ..Self::from(key) }
    }
}

/// The certificates of a key as RFC 7517 has them. `stored` is what [`Reading::certificates`] gives for it. What is not a
/// chain of the key is not shown, and `signwave verify` reports it.
///
/// [`Reading::certificates`]: crate::store::Reading::certificates
pub fn x5c(key: &KeyRow, stored: &[u8]) -> Option<Vec<String>> {
    let public_key = PublicKey::from_spki(&key.public_key).ok()?;
    CertificateChain::from_der(stored, &public_key).ok().map(|chain| chain.x5c())
}

/// The fingerprint in a path.
///
/// # Errors
/// [`Kind::NotFound`] for what cannot be a fingerprint.
pub fn fingerprint(text: &str) -> Result<Fingerprint, Problem> {
    text.parse().map_err(|_| Problem::new(Kind::NotFound))
}
