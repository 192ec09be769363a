//! Files that are not keys, and keys in unsupported forms: what each is, and how to convert it.

use super::text::UTF8_MARK;
use crate::signer::SignerError;

const OPENSSH: SignerError = SignerError::Foreign {
    form: "a key in OpenSSH format",
    convert: "install -m 600 FILE converted.pem && ssh-keygen -p -m PKCS8 -f converted.pem",
};
/// The error for a key in OpenSSH format, by the key type that it names.
pub(super) fn openssh(key: &[u8]) -> SignerError {
    let names = |name: &[u8]| key.windows(name.len()).any(|window| window == name);
    let other = [(&b"ssh-ed25519"[..], "Ed25519"), (b"ecdsa-sha2", "EC"), (b"ssh-dss", "DSA")];
    let other = other.into_iter().find(|(name, _)| names(name));
    other.map_or(OPENSSH, |(_, kind)| SignerError::NotRsa(kind))
}

const OPENPGP: SignerError = SignerError::NotPrivateKey("it is an OpenPGP key");
const PKCS7: SignerError = SignerError::OnlyPublic("PKCS#7 file with certificates");
const PUBLIC_KEY: SignerError = SignerError::OnlyPublic("public key");

/// The error for a PEM block that is not a supported private key, by its label.
pub(super) fn label(label: &str) -> SignerError {
    match label {
        "PUBLIC KEY" | "RSA PUBLIC KEY" => PUBLIC_KEY,
        "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => SignerError::OnlyPublic("certificate"),
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => SignerError::OnlyPublic("certificate request"),
        "X509 CRL" => SignerError::OnlyPublic("certificate revocation list"),
        "PKCS7" | "PKCS #7 SIGNED DATA" | "CMS" => PKCS7,
        "EC PRIVATE KEY" | "EC PARAMETERS" => SignerError::NotRsa("EC"),
        "DSA PRIVATE KEY" | "DSA PARAMETERS" => SignerError::NotRsa("DSA"),
        "DH PARAMETERS" | "X9.42 DH PARAMETERS" => {
            SignerError::OnlyPublic("file with Diffie-Hellman parameters")
        }
        "TSS2 PRIVATE KEY" => SignerError::NotPrivateKey("it is held by a TPM, which does not export keys"),
        "PGP PRIVATE KEY BLOCK" => OPENPGP,
        "PGP PUBLIC KEY BLOCK" => SignerError::OnlyPublic("OpenPGP public key"),
        "PGP MESSAGE" => PGP_MESSAGE,
        "AGE ENCRYPTED FILE" => AGE,
        _ => SignerError::NotPrivateKey("its PEM label is not that of a key"),
    }
}

const AGE: SignerError = SignerError::Foreign {
    form: "a file that age encrypted",
    convert: "age -d -i IDENTITY -o converted.pem FILE",
};
const PGP_MESSAGE: SignerError =
    SignerError::Foreign { form: "an OpenPGP message", convert: "gpg -o converted.pem -d FILE" };
const PUTTYGEN: &str = "puttygen FILE -O private-openssh -o converted.pem --new-passphrase /dev/null";

/// The first bytes of other kinds of files, and the error for each.
const STARTS: [(&[u8], SignerError); 25] = [
    (b"\xfe\xed\xfe\xed", foreign("a Java keystore (JKS)", KEYTOOL)),
    (b"\xce\xce\xce\xce", foreign("a Java keystore (JCEKS)", KEYTOOL_JCEKS)),
    (b"PuTTY-User-Key-File-", foreign("a key in PuTTY format", PUTTYGEN)),
    (b"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY", foreign("a key in SSH.com format", PUTTYGEN)),
    (b"---- BEGIN SSH2 PUBLIC KEY", PUBLIC_KEY),
    (b"SSH PRIVATE KEY FILE FORMAT 1", foreign("a key in SSH 1 format", PUTTYGEN)),
    (b"openssh-key-v1\0", SignerError::NotPrivateKey("it is a key in OpenSSH format without its first line")),
    (b"ssh-rsa ", PUBLIC_KEY),
    (b"ssh-", PUBLIC_KEY),
    (b"ecdsa-", PUBLIC_KEY),
    (
        b"\x1e\xf1\xb5\xb0",
        foreign(
            "Microsoft's PVK",
            "openssl rsa -provider legacy -provider default -inform PVK -in FILE -out converted.pem",
        ),
    ),
    (
        b"\x07\x02\0\0",
        foreign("a Microsoft key blob", "openssl rsa -inform MSBLOB -in FILE -out converted.pem"),
    ),
    (b"\x06\x02\0\0", PUBLIC_KEY),
    (b"\x1f\x8b", foreign("compressed by gzip", "gzip -dc FILE > converted.pem")),
    (b"BZh", foreign("compressed by bzip2", "bzip2 -dc FILE > converted.pem")),
    (b"\xfd7zXZ\0", foreign("compressed by xz", "xz -dc FILE > converted.pem")),
    (b"\x28\xb5\x2f\xfd", foreign("compressed by zstd", "zstd -dc FILE > converted.pem")),
    (b"PK\x03\x04", foreign("a zip archive", "unzip -p FILE > converted.pem")),
    (b"7z\xbc\xaf\x27\x1c", foreign("a 7-Zip archive", "7z x FILE")),
    (b"age-encryption.org/", AGE),
    (b"$ANSIBLE_VAULT", foreign("encrypted by Ansible", "ansible-vault decrypt --output converted.pem FILE")),
    (b"Salted__", SignerError::NotPrivateKey("it was encrypted by 'openssl enc': decrypt it first")),
    (b"SQLite format 3\0", SignerError::NotPrivateKey("it is an SQLite database")),
    (b"AGE-SECRET-KEY-", SignerError::NotRsa("an age identity")),
    (b"%PDF", SignerError::NotPrivateKey("it is a PDF document")),
];

const KEYTOOL: &str =
    "keytool -importkeystore -srckeystore FILE -destkeystore converted.p12 -deststoretype PKCS12";
const KEYTOOL_JCEKS: &str = "keytool -importkeystore -srckeystore FILE -srcstoretype JCEKS -destkeystore converted.p12 \
                             -deststoretype PKCS12";

/// Whether the text is a DER SEQUENCE in hexadecimal. Base64 of a SEQUENCE does not begin with "30".
fn is_hex(text: &[u8]) -> bool {
    text.starts_with(b"30") && text.iter().all(|byte| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace())
}

/// Whether the text mentions a private key. It has no valid PEM first line: some editors replace the dashes.
fn is_headless(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.contains("PRIVATE KEY"))
}

const fn foreign(form: &'static str, convert: &'static str) -> SignerError {
    SignerError::Foreign { form, convert }
}

/// Refuses files that are known not to be a supported key.
pub(super) fn refuse_known(bytes: &[u8]) -> Result<(), SignerError> {
    let text = bytes.strip_prefix(UTF8_MARK).unwrap_or(bytes).trim_ascii_start();
    if let Some((_, error)) =
        STARTS.iter().find(|(start, _)| bytes.starts_with(start) || text.starts_with(start))
    {
        return Err(error.clone());
    }
    let not_a_key = |reason| Err(SignerError::NotPrivateKey(reason));
    let start = text[..text.len().min(64)].to_ascii_lowercase();
    match text.first() {
        Some(b'<') if start.starts_with(b"<!doctype html") || start.starts_with(b"<html") => {
            not_a_key("it is an HTML page: the download of the key has failed")
        }
        Some(b'<') if std::str::from_utf8(text).is_ok() => {
            not_a_key("it is XML without an RSAKeyValue in it")
        }
        Some(b'{' | b'[' | b'"') if std::str::from_utf8(text).is_ok() => {
            not_a_key("it is JSON without a private key in it")
        }
        _ if is_hex(text) => Err(foreign("hexadecimal", "xxd -r -p FILE converted.der")),
        _ if is_headless(text) => {
            not_a_key("its first line is missing or damaged: it must be -----BEGIN PRIVATE KEY-----")
        }
        _ => Ok(()),
    }
}
