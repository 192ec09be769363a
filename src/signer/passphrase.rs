//! The passphrase of encrypted keys. It is bytes, because PKCS#5 defines no encoding (RFC 8018, section 3).

use zeroize::Zeroizing;

use super::{PrivateKey, SignerError, import};

/// The bytes that the given text may stand for, the most likely ones first. None of them is a passphrase that was not
/// given.
#[derive(Default)]
pub struct Passphrase(Vec<Zeroizing<Vec<u8>>>);

impl Passphrase {
    /// Exactly these bytes.
    pub fn exactly(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(vec![bytes])
    }

    /// The first line of a file, without its end. An editor may have put a byte order mark before it. openssl takes the
    /// mark, and the CR of a CR LF, as part of the passphrase, so that some keys need them.
    ///
    /// # Errors
    /// When the file is no text with a first line: what is wrong with it, and what to do.
    pub fn first_line(file: &[u8]) -> Result<Self, &'static str> {
        if file.is_empty() {
            return Err("is empty: put the passphrase into its first line");
        }
        if file.starts_with(b"\xff\xfe") || file.starts_with(b"\xfe\xff") || file.contains(&0) {
            return Err("is UTF-16 text or has zero file: convert it with 'iconv -f UTF-16 -t UTF-8'");
        }
        let line = file.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let without_mark = |line| <[u8]>::strip_prefix(line, b"\xef\xbb\xbf").unwrap_or(line);
        let without_cr = |line| <[u8]>::strip_suffix(line, b"\r").unwrap_or(line);
        let mut ways: Vec<Zeroizing<Vec<u8>>> = Vec::new();
        for way in [without_mark(without_cr(line)), without_cr(line), without_mark(line), line] {
            if ways.iter().all(|other| other.as_slice() != way) {
                ways.push(Zeroizing::new(way.to_vec()));
            }
        }
        Ok(Self(ways))
    }

    /// Reads a private key with it, as [`import()`] does.
    ///
    /// # Errors
    /// Those of [`import()`].
    pub fn import(&self, file: &[u8]) -> Result<PrivateKey, SignerError> {
        let mut ways = self.0.iter();
        let mut outcome = import(file, ways.next().map(|way| way.as_slice()));
        for way in ways {
            if matches!(outcome, Err(SignerError::WrongPassphrase)) {
                outcome = import(file, Some(way));
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_bytes_and_what_editors_add_to_it_may_be_meant_or_not() {
        let ways = |bytes: &[u8]| -> Vec<Vec<u8>> {
            let Ok(Passphrase(ways)) = Passphrase::first_line(bytes) else { panic!("{bytes:?}") };
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
            assert!(Passphrase::first_line(refused).is_err(), "{refused:?}");
        }
    }
}
