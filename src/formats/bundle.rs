//! Bundles as JSON, one in a line: `application/vnd.signwave.bundle.v1+json`.
//!
//! A bundle has exactly one text: its members in one order, without spaces, base64 with padding. What is read must be
//! what would be written, so that no two readers can understand a bundle differently.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use crate::domain::{
    Digest, RecordId, Scheme,
    ledger::{Bundle, Entry, Hash, Inclusion, Note},
};

/// The media type of a bundle.
pub const MEDIA_TYPE: &str = "application/vnd.signwave.bundle.v1+json";

/// The most bytes of a bundle. Most of them are its payload.
pub const MAX_BUNDLE: usize = 32 << 20;

/// The most hashes of a path. A tree of 2^64 leaves has no longer one.
const MAX_PATH: usize = 64;

/// Every reader of JSON knows numbers up to here exactly.
const MAX_NUMBER: u64 = (1 << 53) - 1;

const VERSION: &str = "signwave/bundle/v1";

/// Why a text is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BadBundle {
    /// It is not JSON, or has other members.
    #[error("this is no bundle: {0}")]
    Json(#[from] serde_json::Error),
    /// A member has a value that it cannot have.
    #[error("this is no bundle: '{0}' has a wrong value")]
    Member(&'static str),
    /// It is a bundle, but not in its only text.
    #[error("this is no bundle: its text is not the canonical one")]
    NotCanonical,
    /// The entry of the receipt is none of a signed batch.
    #[error("the receipt's entry is not one of a signed batch")]
    Entry,
    /// The checkpoint is no note.
    #[error("the checkpoint is not a signed note of a ledger of Sign Wave")]
    Checkpoint,
}

/// The text, with members in the order in which they are written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    bundle: String,
    record: WrittenRecord,
    scheme: String,
    signature: String,
    key: WrittenKey,
    receipt: WrittenReceipt,
    checkpoint: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRecord {
    id: String,
    external_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    digest: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    spki: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenReceipt {
    entry: String,
    record_index: u64,
    records: u64,
    records_path: Vec<String>,
    index: u64,
    path: Vec<String>,
}

/// The text of a bundle, without a line end.
///
/// # Errors
/// None that a bundle can cause: those of the serialiser.
pub fn write(bundle: &Bundle) -> serde_json::Result<String> {
    let hashes = |path: &[Hash]| path.iter().map(Hash::to_string).collect();
    serde_json::to_string(&Written {
        bundle: VERSION.to_owned(),
        record: WrittenRecord {
            id: bundle.record.to_string(),
            external_id: bundle.external_id.clone(),
            payload: bundle.payload.as_ref().map(|payload| BASE64.encode(payload)),
            digest: BASE64.encode(bundle.digest.as_bytes()),
        },
        scheme: bundle.scheme.to_string(),
        signature: BASE64.encode(&bundle.signature),
        key: WrittenKey { spki: BASE64.encode(&bundle.spki) },
        receipt: WrittenReceipt {
            entry: Entry::Batch(bundle.entry.clone()).to_string(),
            record_index: bundle.in_batch.index,
            records: bundle.records,
            records_path: hashes(&bundle.in_batch.path),
            index: bundle.in_ledger.index,
            path: hashes(&bundle.in_ledger.path),
        },
        checkpoint: bundle.checkpoint.to_string(),
    })
}

/// Reads a bundle. Nothing of it is verified.
///
/// # Errors
/// [`BadBundle`].
pub fn read(text: &str) -> Result<Bundle, BadBundle> {
    let Written { bundle: version, record, scheme, signature, key, receipt, checkpoint } =
        serde_json::from_str(text)?;
    if version != VERSION {
        return Err(BadBundle::Member("bundle"));
    }
    let scheme: Scheme = scheme.parse().map_err(|_| BadBundle::Member("scheme"))?;
    let id = record.id.parse().ok().filter(|id| *id > 0).ok_or(BadBundle::Member("id"))?;
    let digest = Digest::new(scheme.digest(), &bytes("digest", &record.digest)?);
    let Ok(Entry::Batch(entry)) = receipt.entry.parse() else { return Err(BadBundle::Entry) };
    let note: Note = checkpoint.parse().map_err(|_| BadBundle::Checkpoint)?;
    if note.to_string() != checkpoint {
        return Err(BadBundle::Checkpoint);
    }
    let bundle = Bundle {
        record: RecordId(id),
        external_id: record.external_id,
        payload: record.payload.map(|payload| bytes("payload", &payload)).transpose()?,
        digest: digest.ok_or(BadBundle::Member("digest"))?,
        scheme,
        signature: bytes("signature", &signature)?,
        spki: bytes("spki", &key.spki)?,
        entry,
        in_batch: Inclusion {
            index: number("record_index", receipt.record_index)?,
            path: path("records_path", &receipt.records_path)?,
        },
        records: number("records", receipt.records)?,
        in_ledger: Inclusion { index: number("index", receipt.index)?, path: path("path", &receipt.path)? },
        checkpoint: note,
    };
    // This refuses other orders, spaces, numbers and base64, and what was read leniently.
    if write(&bundle)? == text { Ok(bundle) } else { Err(BadBundle::NotCanonical) }
}

impl BadBundle {
    /// The check that it fails: `form`, `entry` or `checkpoint`.
    pub fn check(&self) -> &'static str {
        match self {
            Self::Json(_) | Self::Member(_) | Self::NotCanonical => "form",
            Self::Entry => "entry",
            Self::Checkpoint => "checkpoint",
        }
    }
}

fn bytes(member: &'static str, text: &str) -> Result<Vec<u8>, BadBundle> {
    BASE64.decode(text.as_bytes()).map_err(|_| BadBundle::Member(member))
}

fn number(member: &'static str, number: u64) -> Result<u64, BadBundle> {
    if number <= MAX_NUMBER { Ok(number) } else { Err(BadBundle::Member(member)) }
}

fn path(member: &'static str, hashes: &[String]) -> Result<Vec<Hash>, BadBundle> {
    let path = hashes.iter().map(|hash| hash.parse().ok()).collect::<Option<Vec<_>>>();
    path.filter(|path| path.len() <= MAX_PATH).ok_or(BadBundle::Member(member))
}
