//! Signers that go wrong in every way we could think of, beside good ones, with real keys on a real
//! database: nothing that they make is stored, and all records get signed all the same.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod faults;
mod lanes;
mod signers;

use std::{collections::BTreeMap, sync::Arc};

use signwave::{
    actors::{self, Ending, Mode, Parts, RunError},
    audit,
    config::{Checking, Settings},
    domain::{InsertVerdict, KeyLimits, KeyMaterial, KeyState, Scheme},
    signer::{self, Engine, OpenSigner, PublicKey},
    store::{self, DatabaseUrl, NewKey, NewRecord, OnConflict, Store},
};
use tempfile::TempDir;

use faults::Fault;
use signers::{BadResults, Opener, Pool};
use support::{
    random::{Random, count},
    store::by,
};

const BATCH: usize = 40;
const BATCHES: usize = 60;
const RECORDS: usize = BATCH * BATCHES;
/// How often a faulty signer errs, round by round: one result in so many.
const RATES: [u64; 4] = [1, 20, 2, 1];

struct Database {
    store: Arc<dyn Store>,
    _folder: TempDir,
}

impl Database {
    fn new<'a>(keys: impl IntoIterator<Item = &'a PublicKey>, records: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(folder.path().join("s.db"));
        store::migrate(&url).unwrap();
        let store = store::open(&url).unwrap();
        for key in keys {
            store.add_key(&row(key), &by()).unwrap();
        }
        let payloads: Vec<_> = (0..records).map(|i| format!("record {i}")).collect();
        let payloads: Vec<_> = payloads
            .iter()
            .map(|payload| NewRecord { external_id: None, payload: payload.as_bytes() })
            .collect();
        let inserted = store.insert_records(&payloads, OnConflict::Stop).unwrap();
        assert!(inserted.iter().all(|verdict| matches!(verdict, InsertVerdict::Inserted(_))));
        Self { store, _folder: folder }
    }

    /// Signs all that waits, as `signwave sign` does.
    fn sign(
        &self,
        opener: Arc<dyn OpenSigner>,
        scheme: Scheme,
        checking: Checking,
    ) -> Result<Ending, RunError> {
        let settings = Settings { batch_size: BATCH, scheme, checking, signers: 2, ..Settings::default() };
        let parts = Parts::new(settings, opener, Mode::Drain);
        actix_rt::System::new().block_on(actors::run(parts, Arc::clone(&self.store)))
    }

    /// What `signwave verify` says: how many signatures verify, and how many problems there are.
    fn verify(&self) -> (u64, u64) {
        let report =
            audit::check_all(self.store.as_ref(), Engine::default(), 2, Vec::new(), &|_| {}).unwrap();
        (report.verified, report.problem_count)
    }

    /// How many of these results are in the database.
    fn stored(&self, bad: &BadResults, scheme: Scheme) -> usize {
        let everything = format!("1-{}", i64::MAX).parse().unwrap();
        let mut found = 0;
        self.store
            .read_signed(&everything, &mut |row| {
                let Some((_, signature)) = row.signature else { return };
                let digest = signer::digest(scheme.digest(), row.payload);
                found += usize::from(bad.contains(digest, signature));
            })
            .unwrap();
        found
    }
}

fn row(key: &PublicKey) -> NewKey {
    NewKey {
        fingerprint: key.fingerprint(),
        public_key: key.spki().to_vec(),
        bits: key.bits(),
        material: KeyMaterial::Sealed(vec![0; 8]),
        limits: KeyLimits::default(),
    }
}

#[test]
fn nothing_that_a_faulty_signer_makes_is_stored() {
    let wanted = count("TEST_RESULTS", 5000) as u64;
    let mut random = Random::new();
    let pool = Arc::new(Pool::new());
    let (mut made, mut good) = (BTreeMap::<_, u64>::new(), 0);
    for round in 0.. {
        let (scheme, rate) = (Scheme::ALL[round % Scheme::ALL.len()], RATES[round % RATES.len()]);
        // They say of themselves that they do not check, or that they do where nobody believes it.
        let checking = if round % 2 == 0 { Checking::Needed } else { Checking::Always };
        let database = Database::new(pool.public_keys(), RECORDS);
        let bad = Arc::new(BadResults::default());
        let opener =
            Opener::new(&pool, rate, checking == Checking::Always, random.another(), Arc::clone(&bad));
        let ended = database.sign(Arc::new(opener), scheme, checking);
        assert_eq!(ended, Ok(Ending::Drained { held_elsewhere: 0 }));

        assert_eq!(database.stored(&bad, scheme), 0, "a bad result is stored");
        assert_eq!(database.verify(), (RECORDS as u64, 0));
        check_keys(&database, &pool, rate);
        good += RECORDS;
        bad.count_into(&mut made);
        if made.values().sum::<u64>() >= wanted {
            break;
        }
    }
    for fault in Fault::ALL {
        assert!(made.contains_key(&fault), "{fault:?} was not tried");
    }
    let kinds: Vec<_> = made.iter().map(|(fault, count)| format!("{} {count}", fault.name())).collect();
    let sum = made.values().sum::<u64>();
    println!("measured: {sum} bad results, 0 stored ({}); {good} good ones, all stored", kinds.join(", "));
}

/// Good keys stay; bad ones are set aside when they never do better, and it is said why.
fn check_keys(database: &Database, pool: &Pool, rate: u64) {
    for key in database.store.keys().unwrap() {
        let Some(fault) = pool.fault(&key.fingerprint) else {
            assert_eq!(key.state, KeyState::Active, "a good key");
            continue;
        };
        assert!(rate > 1 || key.state == KeyState::Suspended, "{fault:?} goes on signing");
        if key.state == KeyState::Suspended {
            let reason = key.state_reason.unwrap();
            let expected = "does not verify with the stored public key";
            assert!(
                reason.contains(expected) || fault == Fault::Shifted && reason.contains("for 40 records"),
                "{fault:?}: {reason}"
            );
        }
    }
}

#[test]
fn a_signer_that_says_it_checks_itself_is_believed_unless_all_are_checked() {
    let pool = Arc::new(Pool::with(Some(Fault::FlippedBit)));
    let bad = Arc::new(BadResults::default());
    let sign = |checking| {
        let database = Database::new(pool.public_keys(), 2 * BATCH);
        let opener = Opener::new(&pool, 1, true, Random::new(), Arc::clone(&bad));
        (database.sign(Arc::new(opener), Scheme::Ps256, checking), database)
    };
    // That is a lie, which shows that the checkers of these tests find what is bad.
    let (ended, database) = sign(Checking::Needed);
    assert_eq!(ended, Ok(Ending::Drained { held_elsewhere: 0 }));
    assert_eq!(database.stored(&bad, Scheme::Ps256), 2 * BATCH);
    assert_eq!(database.verify(), (0, 2 * BATCH as u64));

    let (ended, database) = sign(Checking::Always);
    assert_eq!(ended, Err(RunError::NoActiveKey { waiting: 2 * BATCH as u64 }));
    assert_eq!(database.store.counts().unwrap().signatures, 0);
}

#[test]
fn a_public_key_that_is_stored_under_the_name_of_another_checks_nothing() {
    let pool = Arc::new(Pool::with(None));
    let [key, other] = [pool.public_keys().next().unwrap(), pool.other()];
    let database = Database::new([], BATCH);
    let row = NewKey { public_key: other.spki().to_vec(), ..row(key) };
    database.store.add_key(&row, &by()).unwrap();
    let opener = Opener::new(&pool, 1, false, Random::new(), Arc::default());
    let ended = database.sign(Arc::new(opener), Scheme::Ps256, Checking::Always);
    assert_eq!(ended, Err(RunError::NoActiveKey { waiting: BATCH as u64 }));
    let reason = database.store.keys().unwrap()[0].state_reason.clone().unwrap();
    let expected = format!("the stored public key of key {} belongs to another key", key.fingerprint());
    assert!(reason.contains(&expected), "{reason}");
}
