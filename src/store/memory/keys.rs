//! The key pool, in memory.

use super::{AddKeyVerdict, Key, KeyRow, KeyStateVerdict, NewKey, State, StoredKey};
use crate::domain::{BatchId, KeyId, KeyState};

impl State {
    pub(super) fn add_key(&mut self, key: &NewKey) -> AddKeyVerdict {
        if let Some(there) = self.keys.values().find(|there| there.row.fingerprint == key.fingerprint) {
            return AddKeyVerdict::AlreadyThere(there.row.id);
        }
        let id = KeyId(self.keys.len() as i64 + 1);
        let row = KeyRow {
            id,
            fingerprint: key.fingerprint,
            public_key: key.public_key.clone(),
            bits: key.bits,
            state: KeyState::Active,
            state_reason: None,
            leased_batch: None,
            last_leased: 0,
            signature_count: 0,
            created_at: self.time_text(self.now),
        };
        self.keys.insert(id, Key { row, material: key.material.clone() });
        AddKeyVerdict::Added(id)
    }

    pub(super) fn key_rows(&self) -> Vec<KeyRow> {
        let row = |key: &Key| KeyRow { leased_batch: self.leased_with(key.row.id), ..key.row.clone() };
        self.keys.values().map(row).collect()
    }

    /// The batch that is leased with a key: a signed one names its key too, but is done with it.
    pub(super) fn leased_with(&self, key: KeyId) -> Option<BatchId> {
        self.batches
            .values()
            .find(|batch| batch.node.is_some() && batch.key == Some(key))
            .map(|batch| batch.id)
    }

    pub(super) fn stored_key(&self, key: KeyId) -> Option<StoredKey> {
        self.keys.get(&key).map(|key| StoredKey {
            id: key.row.id,
            fingerprint: key.row.fingerprint,
            public_key: key.row.public_key.clone(),
            material: key.material.clone(),
        })
    }

    pub(super) fn set_key_state(
        &mut self,
        key: KeyId,
        state: KeyState,
        reason: Option<&str>,
    ) -> KeyStateVerdict {
        let Some(key) = self.keys.get_mut(&key) else { return KeyStateVerdict::NoSuchKey };
        let before = key.row.state;
        if !before.may_become(state) {
            return KeyStateVerdict::Refused(before);
        }
        key.row.state = state;
        key.row.state_reason = reason.map(str::to_owned);
        KeyStateVerdict::Changed(before)
    }
}
