//! Private keys as other programs write them: what can be read safely is read, and every other form is named
//! with a command that works.

use std::{fs, path::Path, process::Command, thread};

use data_encoding::{BASE64, BASE64URL_NOPAD};
use pkcs8::{PrivateKeyInfo, der::Decode};
use rsa::{RsaPrivateKey, pkcs1::DecodeRsaPrivateKey, traits::PrivateKeyParts, traits::PublicKeyParts};
use signwave::{
    domain::{Scheme, SignatureBuf},
    signer::{Engine, KeyFlaw, PrivateKey, PublicKey, SignerError, digest, import},
};
use support::openssl::openssl;
use tempfile::TempDir;

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keys").join(name)).unwrap()
}

/// Certificates around a key, PKCS#12, the byte order marks, line ends and blanks of many editors, odd sizes,
/// exponents and private exponents, keys without primes.
const TAKEN: [&str; 22] = [
    "combined_cert_key.pem",
    "combined_key_cert.pem",
    "bag_cert_first.pem",
    "bag_nocerts.pem",
    "k1.p12",
    "zeros_crt.pem",
    "n2049.pem",
    "n3049.pem",
    "n2050.pem",
    "n2084.pem",
    "e_2p32p15.pem",
    "p_lt_q.pem",
    "d_phi.pem",
    "attr_both.pem",
    "v2_pub.pem",
    "bom.pem",
    "crlf.pem",
    "cr.pem",
    "oneline_spaces.pem",
    "indented.pem",
    "trailspace.pem",
    "pss_plain.pem",
];

#[test]
fn keys_of_many_programs_are_taken_and_openssl_verifies_what_they_sign() {
    thread::scope(|scope| {
        for name in TAKEN {
            scope.spawn(move || {
                let key =
                    import(&fixture(name), Some(b"x")).unwrap_or_else(|error| panic!("{name}: {error}"));
                // All schemes by both engines, but where only the file differs.
                let is_odd = name.starts_with(['n', 'e', 'p', 'd', 'z', 'k']);
                verifies(name, &key, if is_odd { &Scheme::ALL } else { &[Scheme::Ps256] });
            });
        }
    });
}

fn verifies(name: &str, key: &PrivateKey, schemes: &[Scheme]) {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("public.pem"), key.public_key().to_pem()).unwrap();
    fs::write(folder.path().join("message"), name).unwrap();
    for scheme in schemes.iter().filter(|scheme| key.public_key().may_sign(**scheme)) {
        for engine in Engine::ALL {
            let mut signatures = SignatureBuf::with_capacity(key.public_key().modulus_len(), 1);
            let digest = digest(scheme.digest(), name.as_bytes());
            engine.signer(key).unwrap().sign(*scheme, &[digest], &mut signatures).unwrap();
            fs::write(folder.path().join("signature"), signatures.iter().next().unwrap()).unwrap();
            let hash = &scheme.name()[2..];
            let padding = match scheme.is_pss() {
                true => "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest",
                false => "",
            };
            let verify = format!("dgst -sha{hash} {padding} -verify public.pem -signature signature message");
            openssl(folder.path(), &verify);
        }
    }
}

#[test]
fn keys_that_must_not_be_used_are_refused_in_any_form() {
    for (name, flaw) in [
        ("n2047.pem", KeyFlaw::Size { bits: 2047 }),
        ("e35.pem", KeyFlaw::SmallExponent { exponent: 35 }),
        ("p1088q960.pem", KeyFlaw::UnbalancedPrimes),
    ] {
        assert_eq!(import(&fixture(name), None).unwrap_err(), SignerError::Refused(flaw), "{name}");
    }
}

#[test]
fn a_key_for_pss_signs_pss_only_and_the_restriction_stays_with_its_public_half() {
    for (name, schemes) in [
        ("pss_plain.pem", &[Scheme::Ps256, Scheme::Ps384, Scheme::Ps512][..]),
        ("pss_sha256.pem", &[Scheme::Ps256]),
        ("java_pss.pem", &[Scheme::Ps256, Scheme::Ps384, Scheme::Ps512]),
    ] {
        let key = import(&fixture(name), None).unwrap();
        let public_key = PublicKey::from_spki(key.public_key().spki()).unwrap();
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("key.pem"), fixture(name)).unwrap();
        assert_eq!(
            public_key.spki(),
            openssl(folder.path(), "pkey -in key.pem -pubout -outform DER"),
            "{name}"
        );
        verifies(name, &key, &Scheme::ALL);
        // The numbers would do: a key that is not restricted verifies what this one must not.
        let free = free(&fixture(name));
        for (engine, scheme) in Engine::ALL.into_iter().flat_map(|e| Scheme::ALL.map(|scheme| (e, scheme))) {
            let digests = [digest(scheme.digest(), b"payload")];
            let sign = |key: &PrivateKey| {
                let mut signatures = SignatureBuf::with_capacity(256, 1);
                let signed = engine.signer(key).unwrap().sign(scheme, &digests, &mut signatures);
                signed.map(|()| signatures.iter().next().unwrap().to_vec())
            };
            let is_allowed = schemes.contains(&scheme);
            assert_eq!(public_key.may_sign(scheme), is_allowed, "{name} {scheme}");
            let signed = sign(&key);
            assert_eq!(signed.is_ok(), is_allowed, "{name} {engine} {scheme}");
            if let Err(error) = signed {
                assert!(matches!(error, SignerError::SchemeForbidden { .. }), "{error}");
            }
            let verified =
                engine.verifier(&public_key).unwrap().verify(scheme, &digests[0], &sign(&free).unwrap());
            assert_eq!(verified, is_allowed, "{name} {engine} {scheme}");
        }
    }
}

/// The key without its restriction: what is inside its PKCS#8.
fn free(pem: &[u8]) -> PrivateKey {
    let pem = std::str::from_utf8(pem).unwrap();
    let base64: String = pem.split("-----").nth(2).unwrap().split_whitespace().collect();
    let pkcs8 = BASE64.decode(base64.as_bytes()).unwrap();
    import(PrivateKeyInfo::from_der(&pkcs8).unwrap().private_key, None).unwrap()
}

/// The key of all forms that are made here, its PKCS#1 and its PKCS#8.
struct Forms {
    pem: String,
    pkcs1: Vec<u8>,
    pkcs8: Vec<u8>,
    spki: Vec<u8>,
}

impl Forms {
    fn new() -> Self {
        let pem = include_str!("../fixtures/signer/rsa2048.pem").to_owned();
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("key.pem"), &pem).unwrap();
        let run = |command: &str| openssl(folder.path(), command);
        Self {
            pem,
            pkcs1: run("rsa -in key.pem -traditional -outform DER"),
            pkcs8: run("pkcs8 -topk8 -nocrypt -in key.pem -outform DER"),
            spki: run("pkey -in key.pem -pubout -outform DER"),
        }
    }

    /// n, e, d, p, q, dP, dQ and qInv.
    fn numbers(&self) -> [Vec<u8>; 8] {
        let mut key = RsaPrivateKey::from_pkcs1_der(&self.pkcs1).unwrap();
        key.precompute().unwrap();
        let crt = [key.dp(), key.dq()].map(|number| number.unwrap().to_bytes_be());
        let qinv = key.crt_coefficient().unwrap().to_bytes_be();
        let [p, q] = [0, 1].map(|index| key.primes()[index].to_bytes_be());
        let [dp, dq] = crt;
        [key.n().to_bytes_be(), key.e().to_bytes_be(), key.d().to_bytes_be(), p, q, dp, dq, qinv]
    }

    fn jwk(&self, members: &[&str]) -> String {
        let names = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];
        let numbers = names.iter().zip(self.numbers()).filter(|(name, _)| members.contains(name));
        let numbers: String = numbers
            .map(|(name, bytes)| format!(",\"{name}\":\"{}\"", BASE64URL_NOPAD.encode(&bytes)))
            .collect();
        format!("{{\"kty\":\"RSA\",\"kid\":\"a \\\"name\\\"\",\"use\":\"sig\"{numbers}}}\n")
    }

    fn xml(&self, count: usize) -> String {
        let names = ["Modulus", "Exponent", "D", "P", "Q", "DP", "DQ", "InverseQ"];
        let numbers = names.iter().zip(self.numbers()).take(count);
        let numbers: String =
            numbers.map(|(name, bytes)| format!("<{name}>{}</{name}>\n", BASE64.encode(&bytes))).collect();
        format!("<?xml version=\"1.0\"?>\n<RSAKeyValue>{numbers}</RSAKeyValue>")
    }
}

const ALL: [&str; 8] = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];

#[test]
fn what_tools_put_around_a_key_is_taken_off() {
    let forms = Forms::new();
    let Forms { pem, pkcs1, pkcs8, spki } = &forms;
    let (escaped, line) = (pem.replace('\n', "\\n"), pem.replace('\n', " "));
    let utf16: Vec<u8> = pem.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16_be: Vec<u8> = pem.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let base64 = BASE64.encode(pem.as_bytes());
    let wrapped: String =
        base64.as_bytes().chunks(76).flat_map(|line| [line, b"\n"].concat()).map(char::from).collect();
    let certificate = String::from_utf8(fixture("combined_cert_key.pem")).unwrap();
    let certificate = certificate.split_inclusive("-----END CERTIFICATE-----").next().unwrap();
    let parameters = "-----BEGIN DH PARAMETERS-----\nMA==\n-----END DH PARAMETERS-----\n";
    for (name, file) in [
        (
            "a service account of Google's",
            format!(
                "{{\"type\": \"service_account\", \"private_key\": \"{escaped}\", \"client_email\": \"a@b\"}}"
            )
            .into(),
        ),
        (
            "JSON in JSON",
            format!("{{\"SecretString\": \"{{\\\"key\\\": \\\"{}\\\"}}\"}}", escaped.replace("\\n", "\\\\n"))
                .into(),
        ),
        (
            "JSON that escapes too much",
            format!("[\"{}\"]", escaped.replace('/', "\\/").replace('+', "\\u002B").replace("=", "\\u003d"))
                .into(),
        ),
        ("a shell's variable", format!("SIGNING_KEY=\"{escaped}\"\n").into()),
        ("one line", line.into_bytes()),
        ("Windows' ends of lines in letters", pem.replace('\n', "\\r\\n").into()),
        (
            "an array of lines",
            format!("[{}]", pem.lines().map(|line| format!("\"{line}\",\n")).collect::<String>()).into(),
        ),
        ("UTF-16", [&[0xff, 0xfe], &utf16[..]].concat()),
        ("UTF-16, big-endian", [&[0xfe, 0xff], &utf16_be[..]].concat()),
        ("UTF-16 without a mark", utf16),
        ("base64 of PEM", base64.clone().into()),
        ("base64 of PEM, in lines", wrapped.into()),
        (
            "a secret of Kubernetes",
            format!(
                "apiVersion: v1\ndata:\n  tls.crt: {}\n  tls.key: {base64}\nkind: Secret\n",
                BASE64.encode(certificate.as_bytes())
            )
            .into(),
        ),
        ("base64 of DER", BASE64.encode(pkcs8).into()),
        (
            "a data key pair of AWS",
            format!(
                "{{\"PrivateKeyPlaintext\": \"{}\", \"PublicKey\": \"{}\"}}",
                BASE64.encode(pkcs8),
                BASE64.encode(spki)
            )
            .into(),
        ),
        (
            "a public key and parameters before it",
            format!("{}{parameters}{pem}", import(pkcs1, None).unwrap().public_key().to_pem()).into(),
        ),
        ("certificates after it", format!("{pem}text\n{certificate}\n{certificate}\n").into()),
        ("a JSON Web Key", forms.jwk(&ALL).into()),
        ("a JSON Web Key without CRT parameters", forms.jwk(&ALL[..5]).into()),
        ("a JSON Web Key without primes", forms.jwk(&ALL[..3]).into()),
        (".NET's XML", forms.xml(8).into()),
        (".NET's XML with a mark", format!("\u{feff}{}", forms.xml(8)).into()),
    ] {
        let file: Vec<u8> = file;
        let key = import(&file, None).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(key.public_key().spki(), spki, "{name}");
    }
}

#[test]
fn what_is_no_key_is_named() {
    let forms = Forms::new();
    let public = |error: &SignerError| matches!(error, SignerError::OnlyPublic(_));
    assert!(public(&import(forms.jwk(&ALL[..2]).as_bytes(), None).unwrap_err()));
    assert!(public(&import(forms.xml(2).as_bytes(), None).unwrap_err()));
    assert!(public(&import(b"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAB a@b", None).unwrap_err()));
    let pem = &forms.pem;
    let jwk = forms.jwk(&ALL);
    for (file, reason) in [
        (" \n".to_owned(), "it is empty"),
        ("<!DOCTYPE html>\n<title>404</title>".to_owned(), "it is an HTML page"),
        ("{\"errors\": [\"permission denied\"]}".to_owned(), "it is JSON without a private key"),
        ("{\"kty\": \"EC\", \"d\": \"AA\"}".to_owned(), "unsupported kind of key (EC)"),
        ("{\"kty\": \"oct\", \"k\": \"AA\"}".to_owned(), "unsupported kind of key (a symmetric key)"),
        (jwk.replace("\"sig\"", "\"enc\""), "not for signing"),
        (jwk.replacen("\"d\":\"", "\"d\":\"!", 1), "is not base64url"),
        (format!("{{\"keys\": [{jwk}]}}"), "this is a set of JSON Web Keys: convert it with 'jq '.keys[0]'"),
        (format!("{{\"keys\": [{jwk}, {jwk}]}}"), "this has 2 private keys"),
        (pem.repeat(3), "this has 3 private keys"),
        (
            format!("{pem}-----BEGIN EC PRIVATE KEY-----\nMA==\n-----END EC PRIVATE KEY-----\n"),
            "this has 2 private keys",
        ),
        ("PuTTY-User-Key-File-3: ssh-rsa\n".to_owned(), "puttygen FILE -O private-openssh -o converted.pem"),
        ("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n".to_owned(), "puttygen FILE"),
        (
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\n-----END PGP PRIVATE KEY BLOCK-----\n".to_owned(),
            "it is an OpenPGP key",
        ),
        ("age-encryption.org/v1\n".to_owned(), "age -d"),
        ("$ANSIBLE_VAULT;1.1;AES256\n".to_owned(), "ansible-vault decrypt"),
    ] {
        let error = import(file.as_bytes(), None).unwrap_err().to_string();
        assert!(error.contains(reason), "{reason}: {error}");
    }
    for (start, reason) in [
        (&b"\xfe\xed\xfe\xed\0\0\0\x02"[..], "keytool -importkeystore -srckeystore FILE -destkeystore"),
        (b"\xce\xce\xce\xce\0\0\0\x02", "-srcstoretype JCEKS"),
        (b"PK\x03\x04", "unzip -p FILE"),
    ] {
        let error = import(start, None).unwrap_err().to_string();
        assert!(error.contains(reason), "{reason}: {error}");
    }
}

#[test]
fn the_command_that_converts_a_form_makes_a_key_of_it() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    let Forms { pem, pkcs1, pkcs8, spki } = Forms::new();
    fs::write(path.join("key.pem"), &pem).unwrap();
    // openssl takes one line for what it reads, and the next for what it writes.
    fs::write(path.join("pass"), "x\nx\n").unwrap();
    let shell = |command: &str| {
        let output = Command::new("sh").args(["-ec", command]).current_dir(path).output().unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
    };
    let indefinite = |der: &[u8]| [&[0x30, 0x80], &der[4..], &[0, 0]].concat();
    fs::write(path.join("ber1"), indefinite(&pkcs1)).unwrap();
    fs::write(path.join("ber8"), indefinite(&pkcs8)).unwrap();
    let legacy = "-provider legacy -provider default";
    for (made, by, rest) in [
        ("ber1", "true".to_owned(), ""),
        ("ber8", "true".to_owned(), ""),
        ("hex", "openssl rsa -in key.pem -outform DER | xxd -p > hex".to_owned(), "; cp converted.der converted.pem"),
        ("gzip", "gzip -c key.pem > gzip".to_owned(), ""),
        ("blob", "openssl rsa -in key.pem -outform MSBLOB -out blob".to_owned(), ""),
        ("pvk", "openssl rsa -in key.pem -outform PVK -pvk-none -out pvk".to_owned(), ""),
        ("ssh", "install -m 600 key.pem ssh; ssh-keygen -q -p -N '' -f ssh".to_owned(), " -P '' -N ''"),
        ("p12", "openssl pkcs12 -export -inkey key.pem -nocerts -keypbe PBE-SHA1-3DES -passout file:pass -out p12".to_owned(), " -passin file:pass"),
        ("rc2", format!("openssl pkcs12 -export -legacy -inkey key.pem -nocerts -keypbe PBE-SHA1-RC2-40 {legacy} -passout file:pass -out rc2"), " -passin file:pass"),
        ("des3", "openssl pkcs8 -topk8 -v2 des3 -in key.pem -passout file:pass -out des3".to_owned(), " -passin file:pass -passout file:pass"),
        ("prf", "openssl pkcs8 -topk8 -v2prf hmacWithSHA512-256 -in key.pem -passout file:pass -out prf".to_owned(), " -passin file:pass -passout file:pass"),
        ("md5", format!("openssl pkcs8 -topk8 -v1 PBE-MD5-DES {legacy} -in key.pem -passout file:pass -out md5"), " -passin file:pass -passout file:pass"),
        ("des3.der", "openssl pkcs8 -topk8 -v2 des3 -in key.pem -outform DER -passout file:pass -out des3.der".to_owned(), " -passin file:pass -passout file:pass"),
        ("old", "openssl rsa -in key.pem -traditional -aes128 -passout file:pass -out old".to_owned(), " -passin file:pass -passout file:pass"),
    ] {
        shell(&by);
        let error = import(&fs::read(path.join(made)).unwrap(), Some(b"x")).unwrap_err().about(made.as_ref());
        let command = error.split_once("convert it with '").and_then(|(_, rest)| rest.rsplit_once('\''));
        let (command, _) = command.unwrap_or_else(|| panic!("{made}: {error}"));
        shell(&format!("rm -f converted.pem; {command}{rest}"));
        let converted = fs::read(path.join("converted.pem")).unwrap();
        assert_eq!(import(&converted, Some(b"x")).unwrap().public_key().spki(), spki, "{command}");
    }
    shell("ssh-keygen -q -t ed25519 -N '' -f ed");
    let error = import(&fs::read(path.join("ed")).unwrap(), None).unwrap_err();
    assert_eq!(error, SignerError::NotRsa("Ed25519"), "no command makes an RSA key of it");
    let error = import(pem.repeat(2).as_bytes(), None).unwrap_err().about("two.pem".as_ref());
    fs::write(path.join("two.pem"), pem.repeat(2)).unwrap();
    shell(error.split_once("with '").unwrap().1.strip_suffix('\'').unwrap());
    for part in ["key-00.pem", "key-01.pem"] {
        assert_eq!(import(&fs::read(path.join(part)).unwrap(), None).unwrap().public_key().spki(), spki);
    }
}

#[test]
fn passphrases_are_bytes_and_a_reason_is_the_true_one() {
    import(&fixture("enc_latin1.pem"), Some(b"Schl\xfcssel")).unwrap();
    import(&fixture("enc_def.pem"), Some(b"hunter2")).unwrap();
    let error = import(&fixture("enc_hmacWithSHA512-256.pem"), Some(b"hunter2")).unwrap_err().to_string();
    assert!(error.contains("(PBKDF2 with hmacWithSHA512-256)"), "{error}");
    let error = import(&fixture("enc_def.pem"), None).unwrap_err();
    assert!(
        error.about("key.pem".as_ref()).contains("--passphrase-file FILE or in SIGNWAVE_PASSPHRASE"),
        "{error}"
    );
    assert_eq!(import(&fixture("k1.p12"), None).unwrap_err(), SignerError::PassphraseNeeded);
    assert_eq!(import(&fixture("k1.p12"), Some(b"y")).unwrap_err(), SignerError::WrongPassphrase);
}
