//! The check of a bundle: everything in it, against what the user pinned. It needs no database.

use std::fmt;

use crate::{
    domain::{
        Fingerprint, RecordId, Scheme,
        ledger::{
            Bundle, Checkpoint, Entry, Origin, VerifierKey, name_hash, paths::verify_inclusion, record_leaf,
        },
    },
    signer::{Engine, PublicKey, SignerError, digest, verify_with_ledger_key},
};

/// What the user trusts. A check without any pin would prove nothing.
#[derive(Clone, Debug)]
pub struct Pins {
    /// Keys that sign records. Unless there are none, the bundle's key must be one of them.
    pub keys: Vec<Fingerprint>,
    /// Ledgers. Unless there are none, one of them must have signed the bundle's checkpoint.
    pub ledgers: Vec<VerifierKey>,
}

/// What a bundle proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    record: RecordId,
    name: Option<String>,
    scheme: Scheme,
    fingerprint: Fingerprint,
    /// The ledger, how many entries it has in the checkpoint, and the number of the bundle's entry; `None` when no ledger is
    /// pinned.
    in_ledger: Option<(Origin, u64, u64)>,
    with_payload: bool,
}

/// Why a bundle proves nothing.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say what the variants mean")]
pub enum Disproof {
    #[error("the {0} does not have the digest of the bundle")]
    Digest(&'static str),
    #[error("{0}")]
    Key(#[from] SignerError),
    #[error("key {0} is not pinned")]
    KeyNotPinned(Fingerprint),
    #[error("key {0} may not be used with {1}")]
    KeyForbids(Fingerprint, Scheme),
    #[error("the receipt is one of {0} by key {1}, and the signature one of {2} by key {3}")]
    OtherReceipt(Scheme, Fingerprint, Scheme, Fingerprint),
    #[error("the signature does not verify")]
    Signature,
    #[error("record {0} is not among those of the receipt")]
    OtherRecord(RecordId),
    #[error("record {0} has the index {1} of {2} in its batch")]
    OtherPlace(RecordId, u64, u64),
    #[error("the path does not lead from the record to the receipt's root")]
    RecordsPath,
    #[error("the checkpoint has {size} entries, and the receipt's entry has the index {index}")]
    Beyond { size: u64, index: u64 },
    #[error("the path does not lead from the receipt's entry to the checkpoint")]
    LedgerPath,
    #[error("the checkpoint is not a signed note of a ledger of Sign Wave")]
    NoCheckpoint,
    #[error("the checkpoint is one of {0}, which is not pinned")]
    LedgerNotPinned(Origin),
    #[error("the checkpoint is not signed by the pinned key of {0}")]
    NotSigned(Origin),
    #[error("the signature of the checkpoint does not verify")]
    LedgerSignature,
}

/// Checks a bundle. `document` is its payload, when it came by another way.
///
/// # Errors
/// [`Disproof`]: the first check that failed.
pub fn check_bundle(
    bundle: &Bundle,
    document: Option<&[u8]>,
    pins: &Pins,
    engine: Engine,
) -> Result<Proven, Disproof> {
    let given = [("payload", bundle.payload.as_deref()), ("document", document)];
    let other =
        |text: Option<&[u8]>| text.is_some_and(|text| digest(bundle.scheme.digest(), text) != bundle.digest);
    if let Some((what, _)) = given.into_iter().find(|(_, text)| other(*text)) {
        return Err(Disproof::Digest(what));
    }
    let fingerprint = check_signature(bundle, pins, engine)?;
    check_record(bundle)?;
    let in_ledger = check_entry(bundle, pins)?;
    Ok(Proven {
        record: bundle.record,
        name: bundle.external_id.clone(),
        scheme: bundle.scheme,
        fingerprint,
        in_ledger,
        with_payload: given.iter().any(|(_, text)| text.is_some()),
    })
}

/// Whether the key is the right one, and has signed the digest.
fn check_signature(bundle: &Bundle, pins: &Pins, engine: Engine) -> Result<Fingerprint, Disproof> {
    let (scheme, entry) = (bundle.scheme, &bundle.entry);
    let key = PublicKey::from_spki(&bundle.spki)?;
    let fingerprint = key.fingerprint();
    if !pins.keys.is_empty() && !pins.keys.contains(&fingerprint) {
        return Err(Disproof::KeyNotPinned(fingerprint));
    }
    if !key.may_sign(scheme) {
        return Err(Disproof::KeyForbids(fingerprint, scheme));
    }
    if (entry.scheme, entry.fingerprint) != (scheme, fingerprint) {
        return Err(Disproof::OtherReceipt(entry.scheme, entry.fingerprint, scheme, fingerprint));
    }
    if !engine.verifier(&key)?.verify(scheme, &bundle.digest, &bundle.signature) {
        return Err(Disproof::Signature);
    }
    Ok(fingerprint)
}

/// Whether the record, with this name, digest and signature, is where the bundle says in the batch of the entry.
fn check_record(bundle: &Bundle) -> Result<(), Disproof> {
    let (records, record) = (&bundle.entry.records, bundle.record);
    let index = records.position(record).ok_or(Disproof::OtherRecord(record))?;
    if (bundle.in_batch.index, bundle.records) != (index, records.len()) {
        return Err(Disproof::OtherPlace(record, index, records.len()));
    }
    let name = bundle.external_id.as_deref().map(name_hash);
    let leaf = record_leaf(record, &bundle.digest, name, &bundle.signature);
    let is_in = verify_inclusion(leaf, index, records.len(), &bundle.in_batch.path, bundle.entry.root);
    if is_in { Ok(()) } else { Err(Disproof::RecordsPath) }
}

/// Whether the entry is in the checkpoint, and a pinned ledger has signed that.
fn check_entry(bundle: &Bundle, pins: &Pins) -> Result<Option<(Origin, u64, u64)>, Disproof> {
    let (note, index) = (&bundle.checkpoint, bundle.in_ledger.index);
    let Checkpoint { origin, size, root } = note.checkpoint().map_err(|_| Disproof::NoCheckpoint)?;
    if index >= size {
        return Err(Disproof::Beyond { size, index });
    }
    let leaf = Entry::Batch(bundle.entry.clone()).leaf();
    if !verify_inclusion(leaf, index, size, &bundle.in_ledger.path, root) {
        return Err(Disproof::LedgerPath);
    }
    if pins.ledgers.is_empty() {
        return Ok(None);
    }
    let key = pins.ledgers.iter().find(|key| key.origin == origin);
    let key = key.ok_or(Disproof::LedgerNotPinned(origin))?;
    let signature = note.signature_of(key).ok_or(Disproof::NotSigned(origin))?;
    if !verify_with_ledger_key(&key.public, note.text(), signature) {
        return Err(Disproof::LedgerSignature);
    }
    Ok(Some((origin, size, index + 1)))
}

impl Disproof {
    /// The check that failed, in one word.
    pub fn check(&self) -> &'static str {
        match self {
            Self::Digest(_) => "digest",
            Self::Key(_) | Self::KeyNotPinned(_) | Self::KeyForbids(..) => "key",
            Self::OtherReceipt(..) => "entry",
            Self::Signature => "signature",
            Self::OtherRecord(_) | Self::OtherPlace(..) => "record",
            Self::RecordsPath => "batch",
            Self::Beyond { .. } | Self::LedgerPath => "ledger",
            Self::NoCheckpoint | Self::LedgerNotPinned(_) | Self::NotSigned(_) | Self::LedgerSignature => {
                "checkpoint"
            }
        }
    }
}

impl fmt::Display for Proven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {}", self.record)?;
        self.name.iter().try_for_each(|name| write!(f, " {}", quoted(name)))?;
        write!(f, ": verified: {} by key {}", self.scheme, self.fingerprint)?;
        match self.in_ledger {
            Some((origin, size, entry)) => write!(f, ", entry {entry} of {size} in {origin}")?,
            None => f.write_str("; no ledger is pinned, so the receipt proves nothing")?,
        }
        f.write_str(if self.with_payload { "" } else { "; without its payload" })
    }
}

/// A text between quotes, as JSON has it, in ASCII.
fn quoted(text: &str) -> String {
    let escaped = |c: char| match c {
        ' '..='~' => c.to_string(),
        _ => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
    };
    serde_json::Value::from(text).to_string().chars().map(escaped).collect()
}
