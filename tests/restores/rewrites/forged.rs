//! A database as a person can write it who holds its file and its keys: all hashes are computed anew.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use data_encoding::HEXLOWER;
use signwave::{
    domain::{
        BatchId, Epoch, Fingerprint, KeyId, RecordId, Scheme, SignatureBuf, Time,
        ledger::{
            BatchSigned, Edge, Entry, KeyChange, KeyChanged, Origin, Receipt, RecordsTree, Restored,
            name_hash,
        },
    },
    signer::{Engine, Keyring, MasterKey, OpenSigner as _, Signer, digest},
    store::Store,
};

/// Everything that `verify` looks at.
#[derive(Clone)]
pub struct Forged {
    pub origin: Origin,
    /// What has an entry in the ledger, in the order of the entries.
    pub items: Vec<Item>,
    /// Records that are in no batch.
    pub waiting: Vec<Record>,
}

#[derive(Clone)]
pub enum Item {
    Batch(Batch),
    Key(KeyChanged),
    Restore(Restored),
}

/// A signed batch. Its id is its place in the order of the records.
#[derive(Clone)]
pub struct Batch {
    pub records: Vec<Record>,
    pub epoch: Epoch,
    pub scheme: Scheme,
    pub key: KeyId,
    pub signed_at: Time,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    pub id: i64,
    pub name: Option<String>,
    pub payload: Vec<u8>,
    pub signature: Vec<u8>,
}

/// All keys of a database, opened with its master key.
pub struct Keys(BTreeMap<KeyId, (Fingerprint, Box<dyn Signer>)>);

impl Keys {
    pub fn open(store: &dyn Store, master: &Path) -> Self {
        let keyring = Keyring::new(Engine::default(), MasterKey::read(master).unwrap());
        let open = |key: KeyId| keyring.open(&store.stored_key(key).unwrap().unwrap()).unwrap();
        Self(store.keys().unwrap().into_iter().map(|key| (key.id, (key.fingerprint, open(key.id)))).collect())
    }

    /// The key after this one.
    pub fn after(&self, key: KeyId) -> KeyId {
        let later = self.0.keys().find(|other| **other > key);
        *later.or(self.0.keys().next()).unwrap()
    }

    /// Signs every record of a batch.
    pub fn sign(&mut self, batch: &mut Batch) {
        let (_, signer) = self.0.get_mut(&batch.key).unwrap();
        let digests: Vec<_> =
            batch.records.iter().map(|record| digest(batch.scheme.digest(), &record.payload)).collect();
        let mut signatures = SignatureBuf::with_capacity(256, digests.len());
        signer.sign(batch.scheme, &digests, &mut signatures).unwrap();
        let signed = batch.records.iter_mut().zip(signatures.iter());
        signed.for_each(|(record, signature)| record.signature = signature.to_vec());
    }
}

impl Batch {
    fn first(&self) -> i64 {
        self.records[0].id
    }

    fn entry(&self, batch: BatchId, keys: &Keys) -> BatchSigned {
        let mut tree = RecordsTree::default();
        for Record { id, name, payload, signature } in &self.records {
            let digest = digest(self.scheme.digest(), payload);
            tree.add(RecordId(*id), &digest, name.as_deref().map(name_hash), signature);
        }
        BatchSigned {
            batch,
            records: self.records.iter().map(|record| RecordId(record.id)).collect(),
            epoch: self.epoch,
            scheme: self.scheme,
            fingerprint: keys.0[&self.key].0,
            signed_at: self.signed_at,
            root: tree.root(),
        }
    }
}

impl Forged {
    /// What a database has.
    pub fn read(store: &dyn Store) -> Self {
        let keys = store.keys().unwrap();
        let key_of = |entry: &BatchSigned| keys.iter().find(|key| key.fingerprint == entry.fingerprint);
        let batch = |entry: BatchSigned| {
            let mut records = Vec::new();
            let mut read = |row: signwave::store::SignedRow<'_>| {
                records.push(Record {
                    id: row.record.0,
                    name: row.external_id.map(str::to_owned),
                    payload: row.payload.to_vec(),
                    signature: row.signature.unwrap().1.to_vec(),
                });
            };
            store.read_signed(&entry.records, &mut read).unwrap();
            let BatchSigned { epoch, scheme, signed_at, .. } = entry;
            Item::Batch(Batch { records, epoch, scheme, key: key_of(&entry).unwrap().id, signed_at })
        };
        let item = |entry| match entry {
            Entry::Batch(entry) => batch(entry),
            Entry::Key(entry) => Item::Key(entry),
            Entry::Restore(entry) => Item::Restore(entry),
        };
        let receipts = store.receipts(0, usize::MAX).unwrap();
        let items = receipts.into_iter().map(|receipt| item(receipt.entry.unwrap())).collect();
        Self { origin: store.ledger().unwrap().origin, items, waiting: Vec::new() }
    }

    pub fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.items.iter().filter_map(|item| if let Item::Batch(batch) = item { Some(batch) } else { None })
    }

    /// The id of each batch, by its first record.
    fn ids(&self) -> BTreeMap<i64, BatchId> {
        let mut firsts: Vec<_> = self.batches().map(Batch::first).collect();
        firsts.sort_unstable();
        firsts.into_iter().zip((1..).map(BatchId)).collect()
    }

    /// The ledger, with the edge at its end.
    pub fn ledger(&self, keys: &Keys) -> (Vec<Receipt>, Edge) {
        let (mut edge, ids) = (Edge::default(), self.ids());
        let entry = |item: &Item| match item {
            Item::Batch(batch) => Entry::Batch(batch.entry(ids[&batch.first()], keys)),
            Item::Key(entry) => Entry::Key(entry.clone()),
            Item::Restore(entry) => Entry::Restore(entry.clone()),
        };
        let receipts = self.items.iter().map(|item| Receipt::new(&mut edge, entry(item))).collect();
        (receipts, edge)
    }

    /// SQL that writes all of it into a database without rows and triggers.
    pub fn sql(&self, keys: &Keys) -> String {
        let mut sql = String::new();
        let records = self.batches().flat_map(|batch| &batch.records).chain(&self.waiting);
        for Record { id, name, payload, .. } in records {
            let name = name.as_ref().map_or("NULL".to_owned(), |name| format!("'{name}'"));
            let payload = HEXLOWER.encode(payload);
            writeln!(
                sql,
                "INSERT INTO record (id, external_id, payload) VALUES ({id}, {name}, x'{payload}');"
            )
            .unwrap();
        }
        self.write_batches(&mut sql);
        self.write_ledger(keys, &mut sql);
        self.write_keys(keys, &mut sql);
        sql
    }

    fn write_batches(&self, sql: &mut String) {
        let ids = self.ids();
        let mut batches: Vec<_> = self.batches().map(|batch| (ids[&batch.first()], batch)).collect();
        batches.sort_by_key(|(id, _)| *id);
        for (id, batch) in batches {
            let Batch { records, epoch, scheme, key, signed_at } = batch;
            let runs: signwave::domain::Runs = records.iter().map(|record| RecordId(record.id)).collect();
            let (first, last, count) = (batch.first(), records[records.len() - 1].id, records.len());
            writeln!(
                sql,
                "INSERT INTO batch (id, first_record, last_record, runs, record_count, state, epoch, key_id, scheme, \
                 leased_at, signed_at) VALUES ({id}, {first}, {last}, '{runs}', {count}, 'signed', {epoch}, {key}, \
                 '{scheme}', '{signed_at}', '{signed_at}');"
            )
            .unwrap();
            for record in records {
                let (record, value) = (record.id, HEXLOWER.encode(&record.signature));
                writeln!(sql, "INSERT INTO signature VALUES ({record}, {id}, x'{value}');").unwrap();
            }
        }
    }

    fn write_ledger(&self, keys: &Keys, sql: &mut String) {
        let (receipts, edge) = self.ledger(keys);
        let mut position = 0;
        for receipt in receipts {
            let (seq, head) = (receipt.seq(), HEXLOWER.encode(&receipt.head().root.0));
            let (batch, root, entry) = match receipt.entry() {
                Entry::Batch(entry) => {
                    position += 1;
                    writeln!(sql, "INSERT INTO feed VALUES ({position}, {});", entry.batch).unwrap();
                    let root = HEXLOWER.encode(&entry.root.0);
                    (entry.batch.to_string(), format!("x'{root}'"), "NULL".to_owned())
                }
                other => ("NULL".to_owned(), "NULL".to_owned(), format!("'{other}'")),
            };
            writeln!(sql, "INSERT INTO receipt VALUES ({seq}, {batch}, {root}, {entry}, x'{head}');")
                .unwrap();
        }
        let (size, edge) = (edge.size(), HEXLOWER.encode(&edge.bytes()));
        let Origin { id, incarnation } = self.origin;
        writeln!(
            sql,
            "UPDATE ledger SET id = '{id}', incarnation = {incarnation}, size = {size}, edge = x'{edge}', \
             checkpoint = NULL, checkpoint_size = NULL;"
        )
        .unwrap();
    }

    fn write_keys(&self, keys: &Keys, sql: &mut String) {
        for (key, (fingerprint, _)) in &keys.0 {
            let of_key = self.batches().filter(|batch| batch.key == *key);
            let count: usize = of_key.map(|batch| batch.records.len()).sum();
            let has = |change: KeyChange| {
                let is_so = |item: &Item| matches!(item, Item::Key(entry) if entry.fingerprint == *fingerprint && entry.change == change);
                self.items.iter().any(is_so)
            };
            if has(KeyChange::Added) {
                let state = if has(KeyChange::Retired) { "retired" } else { "active" };
                writeln!(
                    sql,
                    "UPDATE signing_key SET signature_count = {count}, state = '{state}' WHERE id = {key};"
                )
                .unwrap();
            } else {
                assert_eq!(count, 0, "a key that was never added has signed");
                writeln!(sql, "DELETE FROM signing_key WHERE id = {key};").unwrap();
            }
        }
    }
}
