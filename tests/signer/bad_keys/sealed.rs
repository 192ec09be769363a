//! Sealed keys, public keys and names that were exchanged in the database: no signer opens.

use data_encoding::BASE64;
use signwave::{
    domain::{Fingerprint, KeyId, KeyMaterial, StoredKey},
    signer::{Engine, Keyring, MasterKey, OpenSigner, PrivateKey, SignerError, import, seal},
};

/// A row of `signing_key`, as a keyring sees it.
#[derive(Clone)]
struct Row {
    fingerprint: Fingerprint,
    public_key: Vec<u8>,
    sealed_key: Vec<u8>,
}

fn master(byte: u8) -> MasterKey {
    MasterKey::from_base64(&BASE64.encode(&[byte; 32])).unwrap()
}

fn row(key: &PrivateKey) -> Row {
    Row {
        fingerprint: key.public_key().fingerprint(),
        public_key: key.public_key().spki().to_vec(),
        sealed_key: seal(&master(1), key).unwrap(),
    }
}

#[test]
fn what_was_exchanged_between_rows_does_not_open() {
    let read = |pem: &[u8]| import(pem, None).unwrap();
    let a = row(&read(include_bytes!("../../fixtures/signer/rsa2048.pem")));
    let b = row(&read(include_bytes!("../../fixtures/signer/other2048.pem")));
    let long = row(&read(include_bytes!("../../fixtures/signer/rsa3072.pem")));
    let again = row(&read(include_bytes!("../../fixtures/signer/rsa2048.pem")));
    let stranger = seal(&master(2), &read(include_bytes!("../../fixtures/signer/rsa2048.pem"))).unwrap();

    let damaged = SignerError::Damaged(a.fingerprint);
    let (sealed_under, given) = (master(2).id(), vec![master(1).id()]);
    let wrong = SignerError::WrongMasterKey { fingerprint: a.fingerprint, sealed_under, given };
    let form = |reason| SignerError::SealedForm { fingerprint: a.fingerprint, reason };
    let public = |fingerprint| SignerError::Mismatch { fingerprint, part: "public key" };
    let end = a.sealed_key.len();
    // Version and id of the master key, the nonce, the ciphertext and the tag of a blob.
    let parts = |row: &Row| {
        let (start, tag) = row.sealed_key.split_at(row.sealed_key.len() - 16);
        [&start[..9], &start[9..21], &start[21..], tag].map(<[u8]>::to_vec)
    };
    let mixed = |part: usize, other: &Row| {
        let mut mixed = parts(&a);
        mixed[part] = parts(other)[part].clone();
        Row { sealed_key: mixed.concat(), ..a.clone() }
    };
    let blob = |sealed_key: &[u8]| Row { sealed_key: sealed_key.to_vec(), ..a.clone() };
    let cases = [
        ("the sealed key of another", blob(&b.sealed_key), damaged.clone()),
        ("the sealed key of a longer one", blob(&long.sealed_key), damaged.clone()),
        ("sealed under another master key", blob(&stranger), wrong),
        ("the nonce of another", mixed(1, &b), damaged.clone()),
        ("the ciphertext of another", mixed(2, &b), damaged.clone()),
        ("the tag of another", mixed(3, &b), damaged.clone()),
        ("the nonce of another seal of the same key", mixed(1, &again), damaged.clone()),
        ("the ciphertext of another seal of the same key", mixed(2, &again), damaged.clone()),
        ("the tag of another seal of the same key", mixed(3, &again), damaged.clone()),
        ("without its last byte", blob(&a.sealed_key[..end - 1]), damaged.clone()),
        ("with a byte too many", blob(&[&*a.sealed_key, &[0]].concat()), damaged.clone()),
        ("twice", blob(&a.sealed_key.repeat(2)), damaged.clone()),
        ("only version, id and nonce", blob(&a.sealed_key[..21]), damaged.clone()),
        ("without the end of its nonce", blob(&a.sealed_key[..20]), form("it is too short")),
        ("only version and id", blob(&a.sealed_key[..9]), form("it is too short")),
        ("only the version", blob(&a.sealed_key[..1]), form("it is too short")),
        ("empty", blob(&[]), form("it is empty")),
        ("of version 0", blob(&[&[0], &a.sealed_key[1..]].concat()), form("its version is unknown")),
        ("of version 2", blob(&[&[2], &a.sealed_key[1..]].concat()), form("its version is unknown")),
        ("a public key in its place", blob(&a.public_key), form("its version is unknown")),
        (
            "the public key of another",
            Row { public_key: b.public_key.clone(), ..a.clone() },
            public(a.fingerprint),
        ),
        (
            "both keys of another under this name",
            Row { fingerprint: a.fingerprint, ..b.clone() },
            public(a.fingerprint),
        ),
        ("the name of another", Row { fingerprint: b.fingerprint, ..a.clone() }, public(b.fingerprint)),
        (
            "the sealed key of another under its own name",
            Row { sealed_key: a.sealed_key.clone(), ..b.clone() },
            SignerError::Damaged(b.fingerprint),
        ),
    ];
    for engine in Engine::ALL {
        let keyring = Keyring::new(engine, master(1));
        let open = |row: &Row| {
            keyring.open(&StoredKey {
                id: KeyId(1),
                fingerprint: row.fingerprint,
                public_key: row.public_key.clone(),
                material: KeyMaterial::Sealed(row.sealed_key.clone()),
            })
        };
        for good in [&a, &b, &long, &again] {
            open(good).unwrap();
        }
        for (name, row, error) in &cases {
            assert_eq!(open(row).err().as_ref(), Some(error), "{name}");
        }
    }
    println!("measured: {} exchanged or damaged sealed keys, none opened", cases.len());
}
