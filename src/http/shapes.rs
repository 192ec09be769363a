//! The shapes of records, signatures and batches in JSON. Ids are texts, because many programs read JSON's numbers
//! with 53 bits.

use data_encoding::BASE64;
use serde::Serialize;
use utoipa::ToSchema;

use super::names::{BatchStateName, SchemeName};
use crate::{
    domain::BatchState,
    store::{BatchSummary, RecordRow},
};

/// A record.
#[derive(Serialize, ToSchema)]
#[schema(as = Record)]
pub struct RecordBody {
    /// The id that the database assigned.
    #[schema(example = "17")]
    pub id: String,
    /// The client's own name for it.
    pub external_id: Option<String>,
    /// Whether it is signed.
    pub state: RecordState,
    /// When it was added (RFC 3339).
    pub created_at: String,
    /// Length of the payload in bytes.
    pub payload_length: u64,
    /// The payload in base64, if the client asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_base64: Option<String>,
    /// The batch that it is in.
    pub batch: Option<String>,
    /// Its signature, once it is signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<SignatureBody>,
}

/// How far a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RecordState {
    /// It waits for its signature.
    Waiting,
    /// Its signature is stored.
    Signed,
    /// It was signed, and is never signed again, because a restored database lacks its signature.
    Lost,
}

impl RecordState {
    /// The state of a record that is in the database.
    pub fn of(row: &RecordRow) -> Self {
        match row.batch.as_ref().map(|batch| batch.state) {
            Some(BatchState::Lost) => Self::Lost,
            _ if row.signature.is_some() => Self::Signed,
            _ => Self::Waiting,
        }
    }
}

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

/// The signature of one record, with what is needed to verify it.
#[derive(Serialize, ToSchema)]
#[schema(as = RecordSignature)]
pub struct RecordSignatureBody {
    /// The record.
    #[schema(example = "17")]
    pub record_id: String,
    /// The client's own name for it.
    pub external_id: Option<String>,
    #[serde(flatten)]
    pub signature: SignatureBody,
}

/// A batch.
#[derive(Serialize, ToSchema)]
#[schema(as = Batch)]
pub struct BatchBody {
    /// Its id.
    #[schema(example = "3")]
    pub id: String,
    /// Its state: open, leased, signed or lost.
    #[schema(value_type = BatchStateName, example = "signed")]
    pub state: &'static str,
    /// Its lease number.
    pub epoch: String,
    /// Its lowest record.
    pub first_record: String,
    /// Its highest record.
    pub last_record: String,
    /// How many records it has.
    pub record_count: u64,
    /// Its records, as runs of ids. Only in the answer for one batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "1-10,12,15-20")]
    pub records: Option<String>,
    /// The key that signs or signed it.
    pub fingerprint: Option<String>,
    /// The node that holds it.
    pub node: Option<HolderBody>,
    /// How it is or was signed.
    #[schema(value_type = Option<SchemeName>)]
    pub scheme: Option<&'static str>,
    /// When it was formed (RFC 3339).
    pub opened_at: String,
    /// When it was leased last.
    pub leased_at: Option<String>,
    /// When its signatures were stored.
    pub signed_at: Option<String>,
}

/// The node that holds a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Holder)]
pub struct HolderBody {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

impl From<&RecordRow> for RecordBody {
    fn from(row: &RecordRow) -> Self {
        let signature = signature(row);
        Self {
            id: row.id.to_string(),
            external_id: row.external_id.clone(),
            state: RecordState::of(row),
            created_at: row.created_at.clone(),
            payload_length: row.payload_length,
            payload_base64: row.payload.as_ref().map(|payload| BASE64.encode(payload)),
            batch: row.batch.as_ref().map(|batch| batch.id.to_string()),
            signature,
        }
    }
}

/// The signature of a record, once it is signed.
pub fn signature(row: &RecordRow) -> Option<SignatureBody> {
    let (signature, batch) = row.signature.as_ref().zip(row.batch.as_ref())?;
    Some(SignatureBody {
        signature: BASE64.encode(signature),
        scheme: batch.scheme?.name(),
        fingerprint: batch.key?.to_string(),
        batch: batch.id.to_string(),
        signed_at: batch.signed_at.clone()?,
    })
}

impl RecordSignatureBody {
    /// The signature of a record, once it is signed.
    pub fn of(row: &RecordRow) -> Option<Self> {
        let signature = signature(row)?;
        Some(Self { record_id: row.id.to_string(), external_id: row.external_id.clone(), signature })
    }
}

impl From<&BatchSummary> for BatchBody {
    fn from(batch: &BatchSummary) -> Self {
        Self {
            id: batch.id.to_string(),
            state: batch.state.name(),
            epoch: batch.epoch.to_string(),
            first_record: batch.first_record.to_string(),
            last_record: batch.last_record.to_string(),
            record_count: batch.record_count,
            records: None,
            fingerprint: batch.key.map(|key| key.to_string()),
            node: batch.node.as_ref().map(|(id, name)| HolderBody { id: id.to_string(), name: name.clone() }),
            scheme: batch.scheme.map(|scheme| scheme.name()),
            opened_at: batch.opened_at.clone(),
            leased_at: batch.leased_at.clone(),
            signed_at: batch.signed_at.clone(),
        }
    }
}
