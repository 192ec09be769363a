//! Texts that hold a key in a second encoding.

use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::{der, pem};

/// The byte order mark in UTF-8, which editors on Windows write at the start of a file.
pub(super) const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// Converts UTF-16, as PowerShell writes it, to UTF-8; `None` if the input is not UTF-16.
pub(super) fn from_utf16(bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (rest, unit): (_, fn([u8; 2]) -> u16) = match bytes {
        [0xff, 0xfe, rest @ ..] => (rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => (rest, u16::from_be_bytes),
        [b'-', 0, b'-', 0, ..] => (bytes, u16::from_le_bytes),
        [0, b'-', 0, b'-', ..] => (bytes, u16::from_be_bytes),
        _ => return None,
    };
    let units = rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    // Room for all of the text, because growing would move it and leave copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(3 * units.len()));
    for character in char::decode_utf16(units) {
        let mut buffer = [0; 4];
        text.extend(character.unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut buffer).bytes());
    }
    Some(text)
}

/// The keys in a text that contains base64 without PEM lines: either the whole text is base64, or some values in
/// it are, as secret stores and Kubernetes write them.
pub(super) fn encoded_keys(text: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    if text.iter().all(|byte| is_digit(byte) || byte.is_ascii_whitespace()) {
        let mut packed = Zeroizing::new(Vec::with_capacity(text.len()));
        packed.extend(text.iter().filter(|byte| !byte.is_ascii_whitespace()));
        return decode(&packed).into_iter().collect();
    }
    text.split(|byte| !is_digit(byte)).filter(|run| run.len() >= SHORTEST).filter_map(decode).collect()
}

/// The base64 of a 2048-bit key is never shorter than this.
const SHORTEST: usize = 700;

fn decode(run: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let decoded = Zeroizing::new(BASE64.decode(run).ok()?);
    let is_key = if pem::is_in(&decoded) {
        decoded.windows(KEY.len()).any(|window| window == KEY)
    } else {
        der::is_private(&decoded)
    };
    is_key.then_some(decoded)
}

const KEY: &[u8] = b"PRIVATE KEY-----";
