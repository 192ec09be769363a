//! The signature of a record, as clients read it.

use data_encoding::BASE64;
use serde::Serialize;
use utoipa::ToSchema;

use super::names::SchemeName;
use crate::{
    domain::{BatchState, RecordId},
    store::{Reading, StoreError},
};

/// The signature of a record, with what is needed to verify it.
#[derive(Serialize, ToSchema)]
#[schema(as = Signature)]
pub struct SignatureBody {
    /// The signature of the payload's bytes in base64 (RFC 8017). It is no JWS.
    pub signature: String,
    /// The scheme, as RFC 7518 calls it.
    #[schema(value_type = SchemeName, example = "PS256")]
    pub scheme: &'static str,
    /// The key: SHA-256 of its DER SubjectPublicKeyInfo in hexadecimal.
    pub fingerprint: String,
    /// The batch that it was signed in.
    pub batch: String,
    /// When it was stored (RFC 3339).
    pub signed_at: String,
}

impl SignatureBody {
    /// The signature of a record; `None` while it is not signed.
    ///
    /// # Errors
    /// The store's.
    pub fn read(store: &dyn Reading, record: RecordId) -> Result<Option<Self>, StoreError> {
        let Some(batch) = store.batch_of(record)?.filter(|batch| batch.state == BatchState::Signed) else {
            return Ok(None);
        };
        let damaged = || StoreError::Corrupt(format!("batch {} lacks its key or scheme", batch.id));
        let (key, scheme) = batch.key.zip(batch.scheme).ok_or_else(damaged)?;
        let key = store.key(key)?.ok_or_else(damaged)?;
        let mut signature = None;
        store.read_signed(&[record].into_iter().collect(), &mut |row| {
            signature =
                row.signature.filter(|(of, _)| *of == batch.id).map(|(_, bytes)| BASE64.encode(bytes));
        })?;
        Ok(signature.map(|signature| Self {
            signature,
            scheme: scheme.name(),
            fingerprint: key.fingerprint.to_string(),
            batch: batch.id.to_string(),
            signed_at: batch.signed_at.clone().unwrap_or_default(),
        }))
    }
}
