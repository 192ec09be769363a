//! The engine `lanes` with a key that makes its results wrong: it notices, and nothing of it is stored.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use data_encoding::BASE64;
use num_bigint_dig::{BigUint, RandPrime};
use pkcs8::{PrivateKeyInfo, SubjectPublicKeyInfoRef, der::Encode, der::asn1::BitStringRef};
use rsa::{
    pkcs1::{ALGORITHM_ID, RsaPublicKey, UintRef},
    rand_core::OsRng,
};
use signwave::{
    actors::Ending,
    config::Checking,
    domain::{Fingerprint, KeyLimits, KeyMaterial, KeyState, Scheme},
    signer::{Engine, Keyring, MasterKey, PublicKey, generate, seal},
    store::NewKey,
};
use support::{
    numbers::{Numbers, e, inverse, lcm},
    store::by,
};

use crate::{BATCH, Database};

const MASTER: [u8; 32] = [0x5A; 32];
const RECORDS: usize = 12 * BATCH;

/// A key whose p is the product of two primes. Its numbers fit together, but every result modulo p is wrong, as if the
/// processor had erred. No import accepts such a key.
fn broken() -> Numbers {
    loop {
        let p: BigUint = OsRng.gen_prime(512) * OsRng.gen_prime(512);
        let q: BigUint = OsRng.gen_prime(1024);
        let is_invertible = inverse(&e(), &lcm(&(&p - 1_u8), &(&q - 1_u8))).is_some();
        if (&p * &q).bits() == 2048 && is_invertible {
            return Numbers::of(p, q, e());
        }
    }
}

fn public_key(numbers: &Numbers) -> PublicKey {
    let [n, e] = [&numbers.n, &numbers.e].map(BigUint::to_bytes_be);
    let number = |bytes| UintRef::new(bytes).unwrap();
    let key = RsaPublicKey { modulus: number(&n), public_exponent: number(&e) }.to_der().unwrap();
    let subject_public_key = BitStringRef::from_bytes(&key).unwrap();
    let spki = SubjectPublicKeyInfoRef { algorithm: ALGORITHM_ID, subject_public_key };
    PublicKey::from_spki(&spki.to_der().unwrap()).unwrap()
}

/// Seals a key that no import accepts, in the form that `signer::seal` writes.
fn sealed(master: &MasterKey, name: Fingerprint, numbers: &Numbers) -> Vec<u8> {
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &MASTER).unwrap());
    let (id, nonce) = (master.id().0, [7; NONCE_LEN]);
    let associated = Aad::from([b"signwave sealed private key\0\x01".as_slice(), &id, &name.0].concat());
    let mut body = PrivateKeyInfo::new(ALGORITHM_ID, &numbers.encode()).to_der().unwrap();
    let assumed = Nonce::assume_unique_for_key(nonce);
    cipher.seal_in_place_append_tag(assumed, associated, &mut body).unwrap();
    [&[1], id.as_slice(), nonce.as_slice(), &body].concat()
}

fn row(key: &PublicKey, sealed: Vec<u8>) -> NewKey {
    let (fingerprint, public_key) = (key.fingerprint(), key.spki().to_vec());
    let (material, limits) = (KeyMaterial::Sealed(sealed), KeyLimits::default());
    NewKey { fingerprint, public_key, bits: key.bits(), material, limits }
}

#[test]
fn lanes_that_compute_wrongly_store_nothing_and_the_other_keys_sign() {
    let master = MasterKey::from_base64(&BASE64.encode(&MASTER)).unwrap();
    let numbers = broken();
    let broken = public_key(&numbers);
    let database = Database::new([], RECORDS);
    let broken_sealed = sealed(&master, broken.fingerprint(), &numbers);
    database.store.add_key(&row(&broken, broken_sealed), &by()).unwrap();
    for _ in 0..2 {
        let good = generate(2048).unwrap();
        database.store.add_key(&row(good.public_key(), seal(&master, &good).unwrap()), &by()).unwrap();
    }

    let keyring = Arc::new(Keyring::new(Engine::Lanes, master));
    let ended = database.sign(keyring, Scheme::Ps256, Checking::Needed);
    assert_eq!(ended, Ok(Ending::Drained { held_elsewhere: 0 }));
    assert_eq!(database.verify(), (RECORDS as u64, 0));
    let keys = database.store.keys().unwrap();
    let (bad, good): (Vec<_>, Vec<_>) = keys.iter().partition(|key| key.fingerprint == broken.fingerprint());
    assert!(good.iter().all(|key| key.state == KeyState::Active && key.signature_count > 0));
    assert_eq!((bad[0].state, bad[0].signature_count), (KeyState::Suspended, 0));
    let reason = bad[0].state_reason.clone().unwrap();
    let expected = if Engine::Lanes.is_supported() {
        println!("tested: the check in the eight lanes");
        "was wrong and was discarded"
    } else {
        println!("tested: aws-lc's check, because this processor lacks AVX-512 IFMA");
        "signing with key"
    };
    assert!(reason.starts_with("3 failures in a row") && reason.contains(expected), "{reason}");
}
