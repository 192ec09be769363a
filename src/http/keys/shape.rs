//! The shape of a key in JSON.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::Fingerprint,
    http::{
        names::KeyStateName,
        problem::{Kind, Problem},
    },
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
    /// Its state: active, disabled, retired or suspended.
    #[schema(value_type = KeyStateName, example = "active")]
    state: &'static str,
    /// Why it is in that state.
    reason: Option<String>,
    /// How many signatures were made with it and stored.
    signatures: i64,
    /// Its place in the order of use: the higher, the more recent. 0 is never.
    last_used_place: i64,
    /// The batch that is being signed with it.
    leased_batch: Option<String>,
    /// When it was added (RFC 3339).
    created_at: String,
}

impl From<&KeyRow> for KeyBody {
    fn from(key: &KeyRow) -> Self {
        Self {
            id: key.id.to_string(),
            fingerprint: key.fingerprint.to_string(),
            bits: key.bits,
            state: key.state.name(),
            reason: key.state_reason.clone(),
            signatures: key.signature_count,
            last_used_place: key.last_leased,
            leased_batch: key.leased_batch.map(|batch| batch.to_string()),
            created_at: key.created_at.clone(),
        }
    }
}

/// The fingerprint in a path.
///
/// # Errors
/// [`Kind::NotFound`] for what cannot be a fingerprint.
pub fn fingerprint(text: &str) -> Result<Fingerprint, Problem> {
    text.parse().map_err(|_| Problem::new(Kind::NotFound))
}
