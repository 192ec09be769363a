//! The key pool, in memory.

use super::{
    MemoryStore,
    access::can_be_logged,
    state::{Key, State},
};
use signwave::{
    domain::{Action, By, KeyId, KeyState},
    store::{AddKeyVerdict, KeyPool, KeyRow, KeyStateVerdict, NewKey, StoreError, StoredKey},
};

impl KeyPool for MemoryStore {
    fn add_key(&self, key: &NewKey, by: &By) -> Result<AddKeyVerdict, StoreError> {
        let state = &mut *self.lock();
        can_be_logged(by)?;
        if let Some(there) = state.keys.values().find(|there| there.row.fingerprint == key.fingerprint) {
            return Ok(AddKeyVerdict::AlreadyThere(there.row.id));
        }
        let id = KeyId(state.keys.len() as i64 + 1);
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
            created_at: State::time_text(state.now),
        };
        state.keys.insert(id, Key { row, material: key.material.clone() });
        state.note(by, Action::AddKey, &key.fingerprint.to_string(), None, "active");
        Ok(AddKeyVerdict::Added(id))
    }

    fn stored_key(&self, key: KeyId) -> Result<Option<StoredKey>, StoreError> {
        Ok(self.lock().keys.get(&key).map(|key| StoredKey {
            id: key.row.id,
            fingerprint: key.row.fingerprint,
            public_key: key.row.public_key.clone(),
            material: key.material.clone(),
        }))
    }

    fn set_key_state(
        &self,
        key: KeyId,
        state: KeyState,
        reason: Option<&str>,
        by: &By,
    ) -> Result<KeyStateVerdict, StoreError> {
        let tables = &mut *self.lock();
        can_be_logged(by)?;
        let Some(key) = tables.keys.get_mut(&key) else { return Ok(KeyStateVerdict::NoSuchKey) };
        let before = key.row.state;
        if !before.may_become(state) {
            return Ok(KeyStateVerdict::Refused(before));
        }
        key.row.state = state;
        key.row.state_reason = reason.map(str::to_owned);
        let object = key.row.fingerprint.to_string();
        let after = reason.map_or(state.name().to_owned(), |reason| format!("{state}: {reason}"));
        tables.note(by, Action::SetKeyState, &object, Some(before.name()), &after);
        Ok(KeyStateVerdict::Changed(before))
    }
}
