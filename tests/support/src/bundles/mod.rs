//! A small ledger and the bundles of all its records, signed by the signer of the program.

pub mod mutants;

use signwave::{
    domain::{
        BatchId, DigestAlgorithm, Epoch, Fingerprint, RecordId, Runs, Scheme, SignatureBuf, Time,
        ledger::{
            BatchSigned, Bundle, Checkpoint, Entry, Hash, Inclusion, KeyChange, KeyChanged, Levels, Note,
            Origin, VerifierKey, name_hash, paths, record_leaf,
        },
    },
    signer::{Engine, LedgerKey, PrivateKey, digest, import},
};

use crate::root;

/// What was signed, and by whom.
pub struct Ledger {
    /// The key that signs its heads.
    pub key: LedgerKey,
    /// Its name.
    pub origin: Origin,
    /// One of each record, in a checkpoint that has all of them.
    pub bundles: Vec<Bundle>,
}

/// The records of each batch, with the key and the scheme that sign it.
const BATCHES: [(&str, &str, Scheme); 8] = [
    ("1", "rsa2048", Scheme::Ps256),
    ("2-4,7", "rsa2049", Scheme::Ps384),
    ("5,8-13", "other2048", Scheme::Ps512),
    ("14-16", "rsa2048", Scheme::Rs256),
    ("17-18", "rsa2049", Scheme::Rs384),
    ("20,22", "rsa2560", Scheme::Rs512),
    ("6,21,30-39", "rsa2048", Scheme::Ps256),
    ("9000000000000000000-9000000000000000004", "rsa3072", Scheme::Ps256),
];

/// A signed batch.
pub struct Batch {
    /// The key, as DER SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
    pub scheme: Scheme,
    /// Each record with its payload and its signature, in the order of their ids.
    pub signed: Vec<(RecordId, Vec<u8>, Vec<u8>)>,
}

impl Ledger {
    /// A ledger of records that the signer of the program has signed, with all schemes and keys of several sizes.
    pub fn new() -> Self {
        Self::of(
            BATCHES.map(|(runs, key, scheme)| Batch::sign(&runs.parse().unwrap(), &fixture(key), scheme)),
        )
    }

    /// A ledger of these batches, with other entries in between.
    pub fn of(batches: impl IntoIterator<Item = Batch>) -> Self {
        let origin: Origin = "signwave/0123456789abcdef/2".parse().unwrap();
        let mut ledger = Self { key: LedgerKey::generate().unwrap(), origin, bundles: Vec::new() };
        let (mut entries, mut indexes) = (Vec::new(), Vec::new());
        // The bundles have no place in the ledger yet, and no checkpoint that has them.
        let empty = ledger.note(0, paths::root([]));
        for (at, batch) in batches.into_iter().enumerate() {
            let bundles = batch.bundles(BatchId(at as i64 + 1), &empty);
            if at % 3 == 0 {
                let (change, at) = (KeyChange::Added, Time::from_millis(1_764_000_000_000));
                let fingerprint = bundles[0].entry.fingerprint;
                entries.push(Entry::Key(KeyChanged { change, fingerprint, at }));
            }
            indexes.extend(bundles.iter().map(|_| entries.len()));
            entries.push(Entry::Batch(bundles[0].entry.clone()));
            ledger.bundles.extend(bundles);
        }
        let leaves: Vec<_> = entries.iter().map(Entry::leaf).collect();
        let levels = Levels::new(leaves.clone());
        let note = ledger.note(leaves.len() as u64, paths::root(leaves));
        for (bundle, index) in ledger.bundles.iter_mut().zip(indexes) {
            bundle.in_ledger = Inclusion { index: index as u64, path: levels.path(index) };
            bundle.checkpoint = note.clone();
        }
        ledger
    }

    /// The key to pin.
    pub fn vkey(&self) -> VerifierKey {
        VerifierKey { origin: self.origin, public: self.key.public() }
    }

    /// A checkpoint that the ledger signs.
    pub fn note(&self, size: u64, root: Hash) -> Note {
        let checkpoint = Checkpoint { origin: self.origin, size, root };
        Note::new(&checkpoint, &self.vkey(), &self.key.sign(&checkpoint.to_string()).unwrap())
    }
}

impl Batch {
    fn sign(records: &Runs, key: &PrivateKey, scheme: Scheme) -> Self {
        let payloads: Vec<_> =
            records.iter().map(|record| format!("payload of {record}, größer\n").into_bytes()).collect();
        let digests: Vec<_> = payloads.iter().map(|payload| digest(scheme.digest(), payload)).collect();
        let mut signatures = SignatureBuf::with_capacity(key.public_key().modulus_len(), digests.len());
        Engine::AwsLc.signer(key).unwrap().sign(scheme, &digests, &mut signatures).unwrap();
        let signed = records.iter().zip(payloads).zip(signatures.iter());
        let signed = signed.map(|((record, payload), signature)| (record, payload, signature.to_vec()));
        Self { spki: key.public_key().spki().to_vec(), scheme, signed: signed.collect() }
    }

    /// A bundle of each record. Those with an even id have their payloads inside, and each third has a name.
    fn bundles(self, batch: BatchId, checkpoint: &Note) -> Vec<Bundle> {
        let Self { spki, scheme, signed } = self;
        let of = |payload: &[u8]| digest(scheme.digest(), payload);
        let name = |record: RecordId| {
            (record.0 % 3 == 0)
                .then(|| format!("nämë \"{record}\" \\\t\u{7f}\u{2028}𝄞\u{202e}<img src=x onerror=alert(1)>"))
        };
        let leaf = |(record, payload, signature): &(RecordId, Vec<u8>, Vec<u8>)| {
            record_leaf(*record, &of(payload), name(*record).as_deref().map(name_hash), signature)
        };
        let leaves: Vec<_> = signed.iter().map(leaf).collect();
        let levels = Levels::new(leaves.clone());
        let sha256 = digest(DigestAlgorithm::Sha256, &spki);
        let entry = BatchSigned {
            batch,
            records: signed.iter().map(|(record, ..)| *record).collect(),
            epoch: Epoch(1),
            scheme,
            fingerprint: Fingerprint(sha256.as_bytes().try_into().unwrap()),
            signed_at: Time::from_millis(1_764_000_000_123),
            root: paths::root(leaves),
        };
        let records = entry.records.len();
        let bundle = |(index, (record, payload, signature)): (usize, (RecordId, Vec<u8>, Vec<u8>))| Bundle {
            record,
            external_id: name(record),
            digest: of(&payload),
            payload: (record.0 % 2 == 0).then_some(payload),
            scheme,
            signature,
            spki: spki.clone(),
            entry: entry.clone(),
            in_batch: Inclusion { index: index as u64, path: levels.path(index) },
            records,
            in_ledger: Inclusion { index: 0, path: Vec::new() },
            checkpoint: checkpoint.clone(),
        };
        signed.into_iter().enumerate().map(bundle).collect()
    }
}

/// A private key of the fixtures.
fn fixture(name: &str) -> PrivateKey {
    let path = root().join(format!("tests/fixtures/signer/{name}.pem"));
    import(&std::fs::read(path).unwrap(), None).unwrap()
}
