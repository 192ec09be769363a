//! The key pool, in memory.

use super::{
    MemoryStore,
    access::can_be_logged,
    state::{Key, State},
};
use signwave::{
    domain::{
        Action, Barred, BatchState, By, Fingerprint, KeyId, KeyMaterial, KeyState, LimitChange,
        ledger::KeyChange,
    },
    store::{
        AddKeyVerdict, CertificatesVerdict, KeyLimitsVerdict, KeyPool, KeyRow, KeyStateVerdict,
        NewCertificates, NewKey, Reseal, ResealVerdict, StoreError, StoredKey,
    },
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
            custody: key.material.columns().0.to_owned(),
            state: KeyState::Active,
            state_reason: None,
            limits: key.limits,
            barred: None,
            leased_batch: None,
            last_leased: 0,
            signature_count: 0,
            created_at: State::time_text(state.now),
        };
        state.keys.insert(id, Key { row, material: key.material.clone(), certificates: None });
        state.add_key_entry(KeyChange::Added, key.fingerprint);
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
        let fingerprint = key.row.fingerprint;
        if state == KeyState::Retired && before != state {
            tables.add_key_entry(KeyChange::Retired, fingerprint);
        }
        tables.note(by, Action::SetKeyState, &object, Some(before.name()), &after);
        Ok(KeyStateVerdict::Changed(before))
    }

    fn set_certificates(
        &self,
        key: KeyId,
        certificates: Option<&NewCertificates>,
        by: &By,
    ) -> Result<CertificatesVerdict, StoreError> {
        let tables = &mut *self.lock();
        can_be_logged(by)?;
        let Some(key) = tables.keys.get_mut(&key) else { return Ok(CertificatesVerdict::NoSuchKey) };
        if certificates.is_some_and(|new| !(1..=65536).contains(&new.chain.len())) {
            return Err(StoreError::Refused("signing_key_certificates_check".to_owned()));
        }
        let before = std::mem::replace(&mut key.certificates, certificates.map(|new| new.chain.clone()));
        if before.is_none() && certificates.is_none() {
            return Ok(CertificatesVerdict::HadNone);
        }
        let object = key.row.fingerprint.to_string();
        let before =
            before.map_or("none".to_owned(), |chain| format!("certificates of {} bytes", chain.len()));
        let after = certificates.map_or("none", |new| &new.summary);
        tables.note(by, Action::SetKeyCertificates, &object, Some(&before), after);
        Ok(CertificatesVerdict::Set)
    }

    fn reseal_keys(
        &self,
        master_key: &str,
        reseal: &mut dyn FnMut(&Fingerprint, &[u8]) -> Reseal,
        by: &By,
    ) -> Result<ResealVerdict, StoreError> {
        let state = &mut *self.lock();
        can_be_logged(by)?;
        let (mut replacements, mut kept) = (Vec::new(), 0);
        for (id, key) in &state.keys {
            let KeyMaterial::Sealed(sealed) = &key.material else { continue };
            match reseal(&key.row.fingerprint, sealed) {
                Reseal::Keep => kept += 1,
                Reseal::Replace(sealed) => replacements.push((*id, sealed)),
                Reseal::Refuse => return Ok(ResealVerdict::Refused(*id)),
            }
        }
        let replaced = replacements.len();
        for (id, sealed) in replacements {
            state.keys.entry(id).and_modify(|key| key.material = KeyMaterial::Sealed(sealed));
        }
        if replaced > 0 {
            let after = format!("{replaced} keys resealed");
            state.note(by, Action::RotateMasterKey, master_key, None, &after);
        }
        Ok(ResealVerdict::Done { replaced, kept })
    }

    fn set_key_limits(
        &self,
        key: KeyId,
        change: &LimitChange,
        by: &By,
    ) -> Result<KeyLimitsVerdict, StoreError> {
        let tables = &mut *self.lock();
        can_be_logged(by)?;
        let leased = tables.leased_with(key).map_or(0, |batch| tables.batches[&batch].records.len() as i64);
        let Some(key) = tables.keys.get_mut(&key) else { return Ok(KeyLimitsVerdict::NoSuchKey) };
        let (before, row) = (key.row.limits, &mut key.row);
        row.limits = match before.changed(change, row.state, row.signature_count, leased) {
            Ok(limits) => limits,
            Err(refusal) => return Ok(KeyLimitsVerdict::Refused(refusal)),
        };
        let (object, after) = (row.fingerprint.to_string(), row.limits);
        tables.note(by, Action::SetKeyLimits, &object, Some(&before.to_string()), &after.to_string());
        Ok(KeyLimitsVerdict::Set(after))
    }
}

impl State {
    /// Why an active key may not sign now.
    pub(super) fn barred(&self, row: &KeyRow) -> Option<Barred> {
        let (limits, now) = (row.limits, Self::time(self.now));
        let smallest = || self.in_state(BatchState::Open).map(|batch| batch.records.len() as i64).min();
        let has_fewer = |left: i64| left < smallest().unwrap_or(1);
        match row.state {
            KeyState::Active if limits.not_before.is_some_and(|from| from > now) => Some(Barred::NotYetValid),
            KeyState::Active if limits.not_after.is_some_and(|until| until <= now) => Some(Barred::Expired),
            KeyState::Active if Self::left(row).is_some_and(has_fewer) => Some(Barred::Exhausted),
            _ => None,
        }
    }

    /// How many more signatures the limit of a key allows.
    pub(super) fn left(row: &KeyRow) -> Option<i64> {
        row.limits.max_signatures.map(|most| most.get() - row.signature_count)
    }
}
