//! Keys: private, public, sealed, and the master key.

use std::sync::LazyLock;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use data_encoding::BASE64;
use signwave::{
    domain::{DigestAlgorithm, Fingerprint, Scheme, SignatureBuf},
    signer::{
        CertificateChain, ChainFlaw, Engine, LANES, MasterKey, PrivateKey, PublicKey, SignerError, digest,
        import, seal, unseal,
    },
};

/// What opens the encrypted keys of the corpus.
const PASSPHRASE: &[u8] = b"fuzz";

const MASTER: [u8; 32] = [0x5A; 32];
/// Bytes of the id of a master key.
const ID_LEN: usize = 8;

fn master() -> MasterKey {
    MasterKey::from_base64(&BASE64.encode(&MASTER)).expect("32 bytes in base64")
}

/// The forms of a private key: PKCS#1 and PKCS#8, PEM and DER, encrypted and not.
pub fn private_key(bytes: &[u8]) {
    let imported = match import(bytes, None) {
        Err(SignerError::PassphraseNeeded) => {
            let imported = import(bytes, Some(PASSPHRASE));
            assert_ne!(imported.as_ref().err(), Some(&SignerError::PassphraseNeeded));
            imported
        }
        imported => imported,
    };
    match imported {
        Err(error) => tells_nothing(&error),
        Ok(key) => is_whole(&key),
    }
}

/// An accepted key survives sealing, signs with each engine, and all of them verify.
fn is_whole(key: &PrivateKey) {
    let public_key = key.public_key();
    assert_eq!(PublicKey::from_spki(public_key.spki()).as_ref(), Ok(public_key));
    assert_eq!(format!("{key:?}"), format!("PrivateKey({})", public_key.fingerprint()));
    assert!(key.shares_prime_with(public_key));
    let sealed = seal(&master(), key).expect("it is sealed");
    let opened = unseal(&master(), &public_key.fingerprint(), &sealed).expect("it opens");
    assert_eq!(opened.public_key(), public_key);
    let scheme = Scheme::ALL.into_iter().find(|scheme| public_key.may_sign(*scheme)).expect("one at least");
    let digest = digest(scheme.digest(), b"fuzz");
    for engine in Engine::ALL {
        // The engine lanes would leave a single digest to aws-lc.
        let count = if engine == Engine::Lanes { LANES } else { 1 };
        let mut signatures = SignatureBuf::with_capacity(public_key.modulus_len(), count);
        let mut signer = engine.signer(&opened).expect("it was tried at import");
        signer.sign(scheme, &vec![digest; count], &mut signatures).expect("it signs");
        for verifier in Engine::ALL.map(|engine| engine.verifier(public_key).expect("it was tried")) {
            assert!(signatures.iter().all(|signature| verifier.verify(scheme, &digest, signature)));
        }
    }
}

/// DER SubjectPublicKeyInfo: what one engine takes the others take too, and none verifies rubbish.
pub fn public_key(bytes: &[u8]) {
    match PublicKey::from_spki(bytes) {
        Err(error) => tells_nothing(&error),
        Ok(key) => {
            assert_eq!(key.spki(), bytes);
            assert!((2048..=8192).contains(&key.bits()));
            let base64: String = key.to_pem().lines().filter(|line| !line.starts_with('-')).collect();
            assert_eq!(BASE64.decode(base64.as_bytes()).as_deref(), Ok(bytes));
            let digest = digest(DigestAlgorithm::Sha256, b"fuzz");
            for engine in Engine::ALL {
                let verifier = engine.verifier(&key).expect("each takes what is accepted");
                for signature in [vec![0; key.modulus_len()], vec![0xFF; key.modulus_len()], vec![]] {
                    assert!(!verifier.verify(Scheme::Ps256, &digest, &signature));
                    assert!(!verifier.verify(Scheme::Rs256, &digest, &signature));
                }
            }
        }
    }
}

/// Blobs out of the database: as they come, which the cipher refuses, and as what a cipher with the right
/// key would let through.
pub fn sealed_key(bytes: &[u8]) {
    /// The key of the corpus, so that something opens.
    static NAME: LazyLock<Fingerprint> = LazyLock::new(|| {
        let key = import(include_bytes!("../../fixtures/signer/rsa2048.pem"), None).expect("a good key");
        key.public_key().fingerprint()
    });
    let name = *NAME;
    let error = unseal(&master(), &name, bytes).expect_err("nobody sealed that");
    match bytes.first() {
        Some(1) if bytes.len() > ID_LEN + NONCE_LEN => assert!(
            matches!(error, SignerError::WrongMasterKey { .. }) || bytes[1..].starts_with(&master().id().0)
        ),
        _ => assert!(matches!(error, SignerError::SealedForm { .. })),
    }
    match unseal(&master(), &name, &sealed(name, bytes)) {
        Ok(key) => assert_eq!(key.public_key().fingerprint(), name),
        Err(error) => {
            assert!(
                !matches!(error, SignerError::WrongMasterKey { .. } | SignerError::Damaged(_)),
                "the cipher opens it"
            );
            tells_nothing(&error);
        }
    }
}

/// Seals anything at all, in the form that `signer::seal` writes.
fn sealed(name: Fingerprint, body: &[u8]) -> Vec<u8> {
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &MASTER).expect("32 bytes"));
    let nonce = [7; NONCE_LEN];
    let id = master().id().0;
    let associated = Aad::from([b"signwave sealed private key\0\x01".as_slice(), &id, &name.0].concat());
    let mut body = body.to_vec();
    let assumed = Nonce::assume_unique_for_key(nonce);
    cipher.seal_in_place_append_tag(assumed, associated, &mut body).expect("it is short");
    [&[1], id.as_slice(), nonce.as_slice(), &body].concat()
}

/// The master key's text: 44 characters and perhaps the end of a line.
pub fn master_key(bytes: &[u8]) {
    let Some(text) = super::text(bytes) else { return };
    let line = text.strip_suffix("\r\n").or(text.strip_suffix('\n')).unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    let is_key = line.len() == 44 && BASE64.decode(line.as_bytes()).is_ok_and(|bytes| bytes.len() == 32);
    match MasterKey::from_base64(text) {
        Ok(key) => assert_eq!((is_key, format!("{key:?}").as_str()), (true, "MasterKey(..)")),
        Err(error) => assert!(!is_key && matches!(error, SignerError::MalformedMasterKey(_)), "{error}"),
    }
}

/// No run of characters that could be base64, hex or digits of a key, and no list of bytes.
fn tells_nothing(error: &SignerError) {
    for text in [error.to_string(), format!("{error:?}")] {
        super::readable(&text);
        // The name of a key is public.
        let text = match error {
            SignerError::Mismatch { fingerprint, .. } | SignerError::SealedForm { fingerprint, .. } => {
                text.replace(&fingerprint.to_string(), "")
            }
            _ => text,
        };
        let longest = text.split(|c: char| !c.is_ascii_alphanumeric()).map(str::len).max();
        assert!(longest < Some(24) && !text.contains('['), "{text}");
    }
}

/// The key of the chains in the corpus.
static CERTIFIED: LazyLock<PublicKey> = LazyLock::new(|| {
    let spki = include_bytes!("../../../fuzz/corpus/certificate_chain/spki.der");
    PublicKey::from_spki(spki).expect("it is one that openssl made")
});

/// Certificates of a key, as they are given and as they are stored.
pub fn certificate_chain(bytes: &[u8]) {
    let readings =
        [CertificateChain::from_pem, CertificateChain::from_der].map(|read| read(bytes, &CERTIFIED));
    for read in readings {
        match read {
            Ok(chain) => {
                let read = CertificateChain::from_der(&chain.to_der(), &CERTIFIED);
                assert_eq!(read.as_ref(), Ok(&chain));
                assert_eq!(CertificateChain::from_pem(chain.to_pem().as_bytes(), &CERTIFIED), read);
                assert_eq!(chain.x5c().len(), chain.certificates().len());
                assert!(chain.invalid_at(chain.not_before()).is_none_or(|number| number > 1));
            }
            // It names a block as it is called.
            Err(ChainFlaw::Block(_)) => {}
            Err(flaw) => super::readable(&flaw.to_string()),
        }
    }
}
