//! Whose certificate it is: what openssl says of the key in it, for every kind of key.

use std::fs;

use signwave::{
    domain::Fingerprint,
    signer::{SignerError, certificate_expiry_of_der, certificate_key, certificate_key_of_der},
};
use support::openssl::openssl;
use tempfile::TempDir;

/// Kinds of keys, as openssl makes them.
const KINDS: [&str; 4] =
    ["rsa:2048", "ec -pkeyopt ec_paramgen_curve:P-256", "ec -pkeyopt ec_paramgen_curve:P-384", "ed25519"];

/// A folder with a certificate of that kind, in PEM and DER, and the fingerprint of its key.
fn certificate(kind: &str) -> (TempDir, Fingerprint) {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &str| openssl(folder.path(), arguments);
    run(&format!("req -x509 -newkey {kind} -nodes -keyout key -out c.pem -subj /CN=client/O=a -days 9"));
    run("x509 -in c.pem -outform DER -out c.der");
    run("pkey -in key -pubout -outform DER -out spki");
    let digest = String::from_utf8(run("dgst -sha256 -r spki")).unwrap();
    let fingerprint = digest[..64].parse().unwrap();
    (folder, fingerprint)
}

#[test]
fn the_key_of_a_certificate_is_what_openssl_says_it_is() {
    for kind in KINDS {
        let (folder, fingerprint) = certificate(kind);
        let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
        assert_eq!(certificate_key(&read("c.pem")), Ok(fingerprint), "{kind}");
        assert_eq!(certificate_key(&read("c.der")), Ok(fingerprint), "{kind}");
        assert_eq!(certificate_key_of_der(&read("c.der")), Ok(fingerprint), "{kind}");
        // The client's certificate comes first, its issuer's behind it; words around it are ignored.
        let (other, _) = certificate(KINDS[1]);
        let chain =
            [b"subject=client\n", &*read("c.pem"), &fs::read(other.path().join("c.pem")).unwrap()].concat();
        assert_eq!(certificate_key(&chain), Ok(fingerprint), "{kind}");
    }
}

#[test]
fn a_certificate_of_version_1_is_read_too() {
    let (folder, fingerprint) = certificate(KINDS[0]);
    openssl(folder.path(), "req -new -key key -subj /CN=client -out request");
    openssl(folder.path(), "x509 -req -in request -signkey key -days 9 -outform DER -out v1.der");
    let der = fs::read(folder.path().join("v1.der")).unwrap();
    assert_eq!(certificate_key_of_der(&der), Ok(fingerprint));
}

#[test]
fn a_certificate_expires_when_openssl_says_so() {
    // After 2049, the time has another form.
    for days in ["9", "20000"] {
        let folder = tempfile::tempdir().unwrap();
        let run = |arguments: &str| openssl(folder.path(), arguments);
        run(&format!(
            "req -x509 -newkey rsa:2048 -nodes -keyout key -out c.der -outform DER -subj /CN=a -days {days}"
        ));
        let end =
            String::from_utf8(run("x509 -in c.der -inform DER -noout -enddate -dateopt iso_8601")).unwrap();
        let expiry = certificate_expiry_of_der(&fs::read(folder.path().join("c.der")).unwrap()).unwrap();
        let date = std::process::Command::new("date")
            .args(["-d", end.trim().trim_start_matches("notAfter="), "+%s"])
            .output();
        assert_eq!(String::from_utf8(date.unwrap().stdout).unwrap().trim(), expiry.as_secs().to_string());
    }
}

#[test]
fn what_is_no_certificate_is_refused() {
    let (folder, _) = certificate(KINDS[1]);
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let der = read("c.der");
    let refused = |bytes: &[u8]| {
        let error = certificate_key(bytes).unwrap_err();
        assert!(matches!(error, SignerError::MalformedCertificate(_)), "{error}");
    };
    for length in 0..der.len() {
        refused(&der[..length]);
    }
    refused(&[&der, &b"\0"[..]].concat());
    refused(&read("key"));
    refused(&read("spki"));
    refused(&vec![b'-'; (1 << 16) + 1]);
    refused(String::from_utf8(read("c.pem")).unwrap().replace("END CERTIFICATE", "END").as_bytes());
}
