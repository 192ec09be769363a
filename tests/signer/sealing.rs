//! Sealed keys, the master key and its file, and the keyring that puts them to use.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    sync::Barrier,
    thread,
};

use data_encoding::BASE64;
use rsa::{RsaPrivateKey, pkcs8::DecodePrivateKey, traits::PrivateKeyParts};
use signwave::{
    domain::{DigestAlgorithm, Fingerprint, KeyId, KeyMaterial, Scheme, SignatureBuf, StoredKey},
    signer::{
        Engine, Keyring, MasterKey, MasterKeySource, MasterKeys, OpenSigner, PrivateKey, SignerError, digest,
        import, seal, unseal,
    },
};

const RSA2048: &str = include_str!("../fixtures/signer/rsa2048.pem");
const OTHER2048: &str = include_str!("../fixtures/signer/other2048.pem");

fn key(pem: &str) -> PrivateKey {
    import(pem.as_bytes(), None).expect("the fixture is a good key")
}

fn fingerprint(key: &PrivateKey) -> Fingerprint {
    key.public_key().fingerprint()
}

fn stored(key: &PrivateKey, master: &MasterKey) -> StoredKey {
    StoredKey {
        id: KeyId(1),
        fingerprint: fingerprint(key),
        public_key: key.public_key().spki().to_vec(),
        material: KeyMaterial::Sealed(seal(master, key).expect("the cipher works")),
    }
}

#[test]
fn a_sealed_key_opens_again_under_its_master_key_and_name() {
    let (master, key) = (MasterKey::generate(), key(RSA2048));
    let sealed = seal(&master, &key).unwrap();
    let opened = unseal(&master, &fingerprint(&key), &sealed).unwrap();
    assert_eq!(opened.public_key(), key.public_key());

    let again = seal(&master, &key).unwrap();
    assert_eq!((sealed[0], &sealed[1..9]), (1, &master.id().0[..]));
    assert_ne!(sealed[9..21], again[9..21], "a nonce came twice");
    assert_ne!(sealed, again);
}

#[test]
fn nothing_secret_is_readable_in_a_sealed_key() {
    let sealed = seal(&MasterKey::generate(), &key(RSA2048)).unwrap();
    let private = RsaPrivateKey::from_pkcs8_pem(RSA2048).unwrap();
    for secret in [&private.primes()[0], &private.primes()[1], private.d()] {
        let secret = secret.to_bytes_be();
        assert!(!sealed.windows(16).any(|window| secret.windows(16).any(|part| part == window)));
    }
}

#[test]
fn a_key_does_not_open_under_another_name_or_master_key() {
    let (master, key, other) = (MasterKey::generate(), key(RSA2048), key(OTHER2048));
    let (sealed, other_sealed) = (seal(&master, &key).unwrap(), seal(&master, &other).unwrap());
    let refused = |master: &MasterKey, name, sealed: &[u8]| unseal(master, &name, sealed).unwrap_err();
    let (name, other_name) = (fingerprint(&key), fingerprint(&other));

    assert_eq!(refused(&master, other_name, &sealed), SignerError::Damaged(other_name));
    assert_eq!(refused(&master, name, &other_sealed), SignerError::Damaged(name));
    let stranger = MasterKey::generate();
    let error = refused(&stranger, name, &sealed);
    let (sealed_under, given) = (master.id(), vec![stranger.id()]);
    assert_eq!(error, SignerError::WrongMasterKey { fingerprint: name, sealed_under, given });
    let text = error.to_string();
    let ids = format!("another master key (id {}) than the given (id {})", master.id(), stranger.id());
    assert!(text.contains(&ids) && text.ends_with("give the one that sealed it"), "{text}");
    // No other master key passes for this one.
    let mut passed_off = sealed.clone();
    passed_off[1..9].copy_from_slice(&stranger.id().0);
    assert_eq!(refused(&stranger, name, &passed_off), SignerError::Damaged(name));
}

#[test]
fn a_damaged_sealed_key_does_not_open() {
    let (master, key) = (MasterKey::generate(), key(RSA2048));
    let (name, sealed) = (fingerprint(&key), seal(&master, &key).unwrap());
    let refused = |sealed: &[u8]| unseal(&master, &name, sealed).unwrap_err();

    for version in (0..=255).filter(|version| *version != 1) {
        let mut changed = sealed.clone();
        changed[0] = version;
        assert!(matches!(refused(&changed), SignerError::SealedForm { .. }));
    }
    // The nonce, the ciphertext, the tag.
    let end = sealed.len();
    let with_bit = |at: usize| {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        changed
    };
    for at in (9..21).chain((21..end - 16).step_by(37)).chain(end - 16..end) {
        assert_eq!(refused(&with_bit(at)), SignerError::Damaged(name), "byte {at}");
    }
    for at in 1..9 {
        assert!(matches!(refused(&with_bit(at)), SignerError::WrongMasterKey { .. }), "byte {at}");
    }
    for length in 0..21 {
        assert!(matches!(refused(&sealed[..length]), SignerError::SealedForm { .. }), "{length}");
    }
    for length in (21..end).step_by(29).chain([end - 1]) {
        assert_eq!(refused(&sealed[..length]), SignerError::Damaged(name), "{length}");
    }
    assert_eq!(refused(&[&sealed, [0].as_slice()].concat()), SignerError::Damaged(name));
}

#[test]
fn the_keyring_opens_only_what_belongs_together() {
    let master = BASE64.encode(&[7; 32]);
    let read_master = || MasterKey::from_base64(&master).unwrap();
    let (key, other) = (key(RSA2048), key(OTHER2048));
    let (stored, name) = (stored(&key, &read_master()), fingerprint(&key));
    for engine in Engine::ALL {
        let keyring = Keyring::new(engine, read_master());
        let mut signer = keyring.open(&stored).unwrap();
        assert_eq!(signer.public_key(), key.public_key());
        let digest = digest(DigestAlgorithm::Sha256, b"payload");
        let mut signatures = SignatureBuf::with_capacity(256, 1);
        signer.sign(Scheme::Ps256, &[digest], &mut signatures).unwrap();
        let verifier = engine.verifier(key.public_key()).unwrap();
        assert!(signatures.iter().all(|signature| verifier.verify(Scheme::Ps256, &digest, signature)));

        let refused = |key| keyring.open(&key).err();
        let public_key = other.public_key().spki().to_vec();
        let mismatch = SignerError::Mismatch { fingerprint: name, part: "public key" };
        assert_eq!(refused(StoredKey { public_key: public_key.clone(), ..stored.clone() }), Some(mismatch));
        let fingerprint = fingerprint(&other);
        let damaged = SignerError::Damaged(fingerprint);
        assert_eq!(refused(StoredKey { fingerprint, public_key, ..stored.clone() }), Some(damaged));
        let empty = refused(StoredKey { public_key: vec![], ..stored.clone() });
        assert!(matches!(empty, Some(SignerError::MalformedPublicKey(_))));
    }
    let stranger = Keyring::new(Engine::AwsLc, MasterKey::generate()).open(&stored).err();
    assert!(matches!(stranger, Some(SignerError::WrongMasterKey { fingerprint, .. }) if fingerprint == name));
}

#[test]
fn a_keyring_reads_its_master_key_when_it_opens_the_first_sealed_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master");
    let masters = MasterKeys::new(Some(MasterKeySource::File(path.clone())), None);
    let keyring = Keyring::of(Engine::AwsLc, masters);
    let sealed = stored(&key(RSA2048), &MasterKey::from_base64(&BASE64.encode(&[7; 32])).unwrap());
    let missing = keyring.open(&sealed).err();
    assert!(matches!(missing, Some(SignerError::MasterKeyFile { action: "read", .. })), "{missing:?}");

    fs::write(&path, BASE64.encode(&[7; 32])).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    keyring.open(&sealed).unwrap();
    fs::remove_file(&path).unwrap();
    keyring.open(&sealed).unwrap(); // it has read the file

    let error = Keyring::of(Engine::AwsLc, MasterKeys::default()).open(&sealed).err();
    assert_eq!(error, Some(SignerError::NoMasterKey(sealed.fingerprint)));
}

#[test]
fn a_key_in_an_unknown_custody_is_named_with_its_custodian_and_needs_no_master_key() {
    let key = key(RSA2048);
    let material = KeyMaterial::Elsewhere { custody: "hsm-1".to_owned(), location: "id=%01".to_owned() };
    let stored = StoredKey { material, ..stored(&key, &MasterKey::generate()) };
    let keyring = Keyring::of(Engine::AwsLc, MasterKeys::default());
    let error = keyring.open(&stored).err().unwrap().to_string();
    assert!(error.starts_with(&format!("key {} is in the custody of 'hsm-1'", fingerprint(&key))), "{error}");
}

#[test]
fn secrets_do_not_show() {
    let base64 = BASE64.encode(&[0xA5; 32]);
    let master = MasterKey::from_base64(&base64).unwrap();
    assert_eq!(format!("{master:?}"), "MasterKey(..)");
    let keyring = format!("{:?}", Keyring::new(Engine::AwsLc, master));
    assert!(keyring.contains("current: Some(MasterKey(..)), next: None, all: [MasterKey(..)]"), "{keyring}");
    let key = key(RSA2048);
    let material = format!("{:?}", stored(&key, &MasterKey::generate()).material);
    assert_eq!(material, "Sealed(..)");
    assert_eq!(format!("{key:?}"), format!("PrivateKey({})", fingerprint(&key)));
    assert!(!SignerError::MalformedMasterKey("").to_string().contains(&base64));
}

#[test]
fn a_master_key_is_32_bytes_of_base64() {
    let text = BASE64.encode(&[1; 32]);
    for good in [text.clone(), format!("{text}\n"), format!("{text}\r\n")] {
        MasterKey::from_base64(&good).unwrap();
    }
    for bad in [
        String::new(),
        format!("{text}\n\n"),
        format!(" {text}"),
        text[..43].to_owned(),
        BASE64.encode(&[1; 31]),
        BASE64.encode(&[1; 16]).repeat(2),
        BASE64.encode(&[1; 33]),
        "0".repeat(64),
        "é".repeat(22),
    ] {
        let error = MasterKey::from_base64(&bad).unwrap_err();
        assert!(matches!(error, SignerError::MalformedMasterKey(_)), "{bad:?}");
    }
}

#[test]
fn a_master_key_file_is_made_once_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signwave.db.master");
    let made = MasterKey::create(&path).unwrap();

    let metadata = fs::metadata(&path).unwrap();
    assert_eq!((metadata.mode() & 0o7777, metadata.len(), metadata.nlink()), (0o600, 45, 1));
    let key = key(RSA2048);
    let sealed = seal(&made, &key).unwrap();
    unseal(&MasterKey::read(&path).unwrap(), &fingerprint(&key), &sealed).unwrap();

    let before = fs::read(&path).unwrap();
    let exists = SignerError::MasterKeyExists { path: path.display().to_string() };
    assert_eq!(MasterKey::create(&path).unwrap_err(), exists);
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(names(folder.path()), ["signwave.db.master"]);
}

#[test]
fn of_many_that_make_the_master_key_at_once_one_succeeds_and_all_read_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master");
    let start = Barrier::new(8);
    let made = thread::scope(|scope| {
        let attempt = || {
            start.wait();
            let made = MasterKey::create(&path).is_ok();
            MasterKey::read(&path).unwrap();
            made
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(attempt)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|made| *made).count()
    });
    assert_eq!(made, 1);
    assert_eq!(names(folder.path()), ["master"]);
}

#[test]
fn a_master_key_file_that_others_can_read_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master");
    MasterKey::create(&path).unwrap();
    let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    // The group may read what is root's.
    let of_group = if is_root { 0o641 } else { 0o640 };
    for exposed in [of_group, 0o604, 0o660, 0o777, 0o601, 0o620] {
        mode(exposed);
        let error = MasterKey::read(&path).unwrap_err();
        assert_eq!(error, SignerError::MasterKeyExposed { path: path.display().to_string(), mode: exposed });
        let text = error.to_string();
        assert!(
            text.contains(&format!("chmod 600 {}", path.display()))
                && text.contains(&format!("{exposed:04o}"))
        );
    }
    let for_group: &[u32] = if is_root { &[0o640, 0o440] } else { &[] };
    for closed in [&[0o600, 0o400], for_group].concat() {
        mode(closed);
        MasterKey::read(&path).unwrap();
    }
}

#[test]
fn a_file_that_is_no_master_key_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master");
    assert!(matches!(MasterKey::read(&path).unwrap_err(), SignerError::MasterKeyFile { action: "read", .. }));
    let nowhere = folder.path().join("missing/master");
    assert!(matches!(
        MasterKey::create(&nowhere).unwrap_err(),
        SignerError::MasterKeyFile { action: "created", .. }
    ));
    let is_folder = SignerError::MasterKeyFolder { path: folder.path().display().to_string() };
    assert_eq!(MasterKey::read(folder.path()).unwrap_err(), is_folder);
    for content in [String::new(), "short\n".to_owned(), BASE64.encode(&[1; 32]) + &"\n".repeat(1000)] {
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(MasterKey::read(&path).unwrap_err(), SignerError::MalformedMasterKey(_)));
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("it can be read");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}
