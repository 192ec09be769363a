//! Every form in which openssl writes a private key is read; everything else is refused with the reason.

use std::fs;

use pkcs8::{
    EncryptedPrivateKeyInfo,
    der::{Decode, Encode},
    pkcs5::{EncryptionScheme, pbes2},
};
use signwave::signer::{self, KeyFlaw, PrivateKey, SignerError};
use support::openssl::openssl;
use tempfile::TempDir;

const RSA2048: &[u8] = include_bytes!("../fixtures/signer/rsa2048.pem");
const PASSPHRASE: &str = "correct horse";

/// A folder with `key.pem`, and `passphrase` for openssl's `-passout file:passphrase`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("key.pem"), RSA2048).expect("it can be written");
    fs::write(folder.path().join("passphrase"), PASSPHRASE).expect("it can be written");
    folder
}

fn import(bytes: &[u8], passphrase: Option<&str>) -> Result<PrivateKey, SignerError> {
    signer::import(bytes, passphrase.map(str::as_bytes))
}

#[track_caller]
fn refusal(bytes: &[u8], passphrase: Option<&str>) -> SignerError {
    let error = import(bytes, passphrase).expect_err("it is refused");
    // No run of characters that could be base64 or hex of a key.
    let text = format!("{error} {error:?}");
    let longest = text.split(|c: char| !c.is_ascii_alphanumeric()).map(str::len).max();
    assert!(longest < Some(30), "{text}");
    error
}

#[test]
fn every_form_that_openssl_writes_is_read() {
    let folder = folder();
    let run = |command: &str| openssl(folder.path(), command);
    let spki = run("pkey -in key.pem -pubout -outform DER");

    for command in ["rsa -in key.pem -traditional", "pkcs8 -topk8 -nocrypt -in key.pem", "pkey -in key.pem"] {
        for form in ["PEM", "DER"] {
            let written = run(&format!("{command} -outform {form}"));
            for passphrase in [None, Some("not needed")] {
                let key = import(&written, passphrase).unwrap();
                assert_eq!(key.public_key().spki(), spki, "{command} {form}");
            }
        }
    }

    let encrypt = "pkcs8 -topk8 -in key.pem -passout file:passphrase";
    for how in [
        "",
        "-v2 aes-128-cbc",
        "-v2 aes-192-cbc",
        "-v2 aes-256-cbc -v2prf hmacWithSHA1",
        "-v2 aes-256-cbc -v2prf hmacWithSHA256 -iter 600000",
        "-v2 aes-256-cbc -v2prf hmacWithSHA512",
        "-scrypt",
        "-scrypt -v2 aes-128-cbc",
        "-scrypt -scrypt_N 1024 -scrypt_r 4 -scrypt_p 3",
    ] {
        for form in ["PEM", "DER"] {
            let written = run(&format!("{encrypt} {how} -outform {form}"));
            assert_eq!(import(&written, Some(PASSPHRASE)).unwrap().public_key().spki(), spki, "{how} {form}");
            assert_eq!(refusal(&written, None), SignerError::PassphraseNeeded, "{how} {form}");
            for wrong in ["", "correct horse\n", "Correct horse"] {
                assert_eq!(refusal(&written, Some(wrong)), SignerError::WrongPassphrase, "{how} {form}");
            }
        }
    }
}

#[test]
fn new_keys_of_each_command_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for command in [
        "genrsa -traditional 2048",
        "genrsa 2048",
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2056 -outform DER",
        "genrsa -f4 3072",
    ] {
        import(&openssl(folder.path(), command), None).unwrap();
    }
}

#[test]
fn pem_may_have_text_before_it_and_lines_of_any_length() {
    let pem = std::str::from_utf8(RSA2048).unwrap();
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    for text in [
        pem.replace('\n', "\r\n"),
        pem.trim_end().to_owned(),
        format!("Bag Attributes\n    friendlyName: 1\n{pem}\n\n"),
        format!("{pem}trailing"),
        format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n"),
    ] {
        import(text.as_bytes(), None).unwrap();
    }
}

#[test]
fn what_a_wrong_file_is_gets_said() {
    let folder = folder();
    let run = |command: &str| openssl(folder.path(), command);
    let other_kind = |command: &str| refusal(&run(command), None);

    assert_eq!(other_kind("pkey -in key.pem -pubout"), SignerError::OnlyPublic("public key"));
    assert_eq!(other_kind("pkey -in key.pem -pubout -outform DER"), SignerError::OnlyPublic("public key"));
    assert_eq!(other_kind("rsa -in key.pem -RSAPublicKey_out"), SignerError::OnlyPublic("public key"));
    let request = "req -x509 -key key.pem -subj /CN=a -days 1";
    assert_eq!(other_kind(request), SignerError::OnlyPublic("certificate"));
    assert_eq!(other_kind(&format!("{request} -outform DER")), SignerError::OnlyPublic("certificate"));
    let request = "req -new -key key.pem -subj /CN=a";
    assert_eq!(other_kind(request), SignerError::OnlyPublic("certificate request"));

    let curve = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";
    assert_eq!(other_kind(&format!("genpkey {curve}")), SignerError::NotRsa("EC"));
    assert_eq!(other_kind("ecparam -name prime256v1 -genkey -noout"), SignerError::NotRsa("EC"));
    assert_eq!(other_kind("genpkey -algorithm ED25519 -outform DER"), SignerError::NotRsa("Ed25519"));
    for (hash, mask, salt) in [("sha1", "sha1", 20), ("sha256", "sha1", 32), ("sha256", "sha256", 33)] {
        let restricted = format!(
            "genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_pss_keygen_md:{hash} \
             -pkeyopt rsa_pss_keygen_mgf1_md:{mask} -pkeyopt rsa_pss_keygen_saltlen:{salt}"
        );
        assert_eq!(other_kind(&restricted), SignerError::Refused(KeyFlaw::PssParameters), "{restricted}");
    }

    let encrypted = run("rsa -in key.pem -aes256 -traditional -passout file:passphrase");
    for passphrase in [None, Some(PASSPHRASE)] {
        let error = refusal(&encrypted, passphrase);
        assert_eq!(error, SignerError::TraditionalEncryption);
        assert!(error.to_string().contains("openssl pkcs8 -topk8"));
    }
    for how in ["-v1 PBE-SHA1-3DES", "-v2 des3"] {
        let encrypted = run(&format!("pkcs8 -topk8 {how} -in key.pem -passout file:passphrase"));
        let error = refusal(&encrypted, Some(PASSPHRASE));
        assert!(matches!(error, SignerError::UnsupportedEncryption { .. }), "{how}: {error}");
    }
}

#[test]
fn a_key_that_is_cut_anywhere_is_refused() {
    let folder = folder();
    for command in
        ["rsa -in key.pem -traditional -outform DER", "pkcs8 -topk8 -nocrypt -in key.pem -outform DER"]
    {
        let mut der = openssl(folder.path(), command);
        for length in (0..der.len()).step_by(7) {
            assert!(matches!(refusal(&der[..length], None), SignerError::NotPrivateKey(_)));
        }
        der.push(0);
        assert_eq!(refusal(&der, None), SignerError::NotPrivateKey("it has trailing data after its end"));
    }
}

#[test]
fn a_key_with_any_byte_changed_is_refused() {
    let der = openssl(folder().path(), "rsa -in key.pem -traditional -outform DER");
    for at in (0..der.len()).step_by(13) {
        let mut changed = der.clone();
        changed[at] ^= 0x10;
        refusal(&changed, None);
    }
}

#[test]
fn an_encryption_that_would_take_for_ever_is_refused_at_once() {
    let written = openssl(folder().path(), "pkcs8 -topk8 -in key.pem -passout file:passphrase -outform DER");
    let info = EncryptedPrivateKeyInfo::from_der(&written).unwrap();
    let EncryptionScheme::Pbes2(parameters) = &info.encryption_algorithm else { panic!("not PBES2") };
    let salt = [7; 16];
    let pbkdf2 = |iteration_count| {
        let prf = pbes2::Pbkdf2Prf::HmacWithSha256;
        pbes2::Pbkdf2Params { salt: &salt, iteration_count, key_length: None, prf }.into()
    };
    let scrypt = |cost_parameter, block_size, parallelization| {
        pbes2::ScryptParams { salt: &salt, cost_parameter, block_size, parallelization, key_length: None }
            .into()
    };
    let attempt = |kdf| {
        let encryption_algorithm = pbes2::Parameters { kdf, encryption: parameters.encryption }.into();
        let spoiled = EncryptedPrivateKeyInfo { encryption_algorithm, encrypted_data: info.encrypted_data };
        refusal(&spoiled.to_der().unwrap(), Some(PASSPHRASE))
    };
    assert_eq!(attempt(pbkdf2(1)), SignerError::WrongPassphrase);
    for costly in [
        pbkdf2(10_000_001),
        pbkdf2(u32::MAX),
        scrypt(1 << 22, 8, 1),
        scrypt(1 << 19, 8, 1),
        scrypt(1 << 62, 8, 1),
        scrypt(1 << 14, u16::MAX, 1),
        scrypt(1 << 14, 8, u16::MAX),
    ] {
        assert!(matches!(attempt(costly), SignerError::CostTooHigh(_)));
    }
    for impossible in [scrypt(0, 8, 1), scrypt(1, 8, 1), scrypt(1000, 8, 1), scrypt(2, 0, 1), scrypt(2, 8, 0)]
    {
        assert!(matches!(attempt(impossible), SignerError::UnsupportedEncryption { .. }));
    }
}
