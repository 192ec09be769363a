//! The passphrase of encrypted keys. It is bytes, because PKCS#5 defines no encoding (RFC 8018, section 3).

use std::{env, os::unix::ffi::OsStringExt, path::Path};

use anyhow::{Result, bail};
use zeroize::Zeroizing;

use super::secret_file;
use crate::{
    cli::{config_file::PASSPHRASE, failure::Usage},
    signer::{self, PrivateKey, SignerError},
};

/// The bytes that the given text may stand for, the most likely ones first.
pub struct Passphrase(Vec<Zeroizing<Vec<u8>>>);

impl Passphrase {
    /// Reads the passphrase from `file`, or otherwise from the environment.
    pub fn obtain(file: Option<&Path>) -> Result<Self> {
        let text = env::var_os(PASSPHRASE).map(|text| Zeroizing::new(text.into_vec()));
        match (file, text) {
            (Some(_), Some(_)) => {
                bail!(Usage(format!("both --passphrase-file and {PASSPHRASE} are given: leave one out")))
            }
            (None, Some(text)) => Ok(Self(vec![text])),
            (None, None) => Ok(Self(Vec::new())),
            (Some(path), None) => {
                let name = secret_file::name(path);
                let bytes = secret_file::read(path).map_err(|error| {
                    let sentence = format!("the passphrase file {name}: {error}");
                    error.context(sentence)
                })?;
                first_line(&bytes)
                    .map_err(|reason| Usage(format!("the passphrase file {name} {reason}")).into())
            }
        }
    }

    /// Reads a private key with it.
    pub fn import(&self, file: &[u8]) -> Result<PrivateKey, SignerError> {
        let mut ways = self.0.iter();
        let mut outcome = signer::import(file, ways.next().map(|way| way.as_slice()));
        for way in ways {
            if matches!(outcome, Err(SignerError::WrongPassphrase)) {
                outcome = signer::import(file, Some(way));
            }
        }
        outcome
    }
}

/// The first line without its end. An editor may have put a byte order mark before it. openssl takes the mark,
/// and the CR of a CR LF, as part of the passphrase, so that some keys need them.
fn first_line(bytes: &[u8]) -> Result<Passphrase, &'static str> {
    if bytes.is_empty() {
        return Err("is empty: put the passphrase into its first line");
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || bytes.contains(&0) {
        return Err("is UTF-16 text or has zero bytes: convert it with 'iconv -f UTF-16 -t UTF-8'");
    }
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let without_mark = |line| <[u8]>::strip_prefix(line, b"\xef\xbb\xbf").unwrap_or(line);
    let without_cr = |line| <[u8]>::strip_suffix(line, b"\r").unwrap_or(line);
    let mut ways: Vec<Zeroizing<Vec<u8>>> = Vec::new();
    for way in [without_mark(without_cr(line)), without_cr(line), without_mark(line), line] {
        if ways.iter().all(|other| other.as_slice() != way) {
            ways.push(Zeroizing::new(way.to_vec()));
        }
    }
    Ok(Passphrase(ways))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_bytes_and_what_editors_add_to_it_may_be_meant_or_not() {
        let ways = |bytes: &[u8]| -> Vec<Vec<u8>> {
            let Ok(Passphrase(ways)) = first_line(bytes) else { panic!("{bytes:?}") };
            ways.iter().map(|way| way.to_vec()).collect()
        };
        assert_eq!(ways(b"secret"), [b"secret"]);
        assert_eq!(ways(b"secret\nmore\n"), [b"secret"]);
        assert_eq!(ways(b" s\xe9 \n"), [b" s\xe9 "]);
        assert_eq!(ways(b"\n"), [b""]);
        assert_eq!(ways(b"a\r\n"), [&b"a"[..], b"a\r"]);
        let both = [&b"a"[..], b"\xef\xbb\xbfa", b"a\r", b"\xef\xbb\xbfa\r"];
        assert_eq!(ways(b"\xef\xbb\xbfa\r\n"), both);
        for refused in [&b""[..], b"\xff\xfea\0", b"a\0\n"] {
            assert!(first_line(refused).is_err(), "{refused:?}");
        }
    }
}
