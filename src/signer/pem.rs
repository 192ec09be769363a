//! PEM, the text form of keys (RFC 7468), and what is wrong with a text that is not.

use data_encoding::BASE64;
use zeroize::Zeroizing;

/// One PEM block.
pub(super) struct Block<'a> {
    /// The label of the block, such as `PRIVATE KEY`.
    pub(super) label: &'a str,
    body: &'a [u8],
}

/// Writes a block, 64 characters to a line.
pub(super) fn encode(label: &str, der: &[u8]) -> String {
    let base64 = BASE64.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in base64.as_bytes().chunks(64) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}

/// Finds the blocks of a text. The text around them is ignored, as RFC 7468 requires, in any encoding: bag
/// attributes, a certificate in words, JSON.
pub(super) fn blocks(input: &[u8]) -> Result<Vec<Block<'_>>, &'static str> {
    let mut blocks = Vec::new();
    let mut rest = input;
    while let Some((_, begun)) = split_once(rest, BEGIN) {
        let (label, begun) = split_once(begun, DASHES).ok_or("its PEM header is not complete")?;
        let label = std::str::from_utf8(label).ok().filter(|label| is_label(label));
        let label = label.ok_or("its PEM header is not complete")?;
        let (body, ended) = split_once(begun, END).ok_or("its PEM has no end line")?;
        if split_once(body, BEGIN).is_some() {
            return Err("its PEM has no end line");
        }
        let ended = ended.strip_prefix(label.as_bytes()).and_then(|ended| ended.strip_prefix(DASHES));
        rest = ended.ok_or("its PEM end line does not match the first")?;
        blocks.push(Block { label, body });
    }
    Ok(blocks)
}

impl Block<'_> {
    /// Whether the block has RFC 1421 headers, which mark it as encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        split_once(self.body, b"Proc-Type:").is_some()
    }

    /// The decoded bytes. Lines may have any length, and may be joined into one: JSON, shell variables and many
    /// secret stores write the ends of lines as escapes such as `\n`.
    pub(super) fn der(&self) -> Result<Zeroizing<Vec<u8>>, &'static str> {
        let mut packed = Zeroizing::new(Vec::with_capacity(self.body.len()));
        let mut rest = self.body;
        while let Some((byte, behind)) = rest.split_first() {
            rest = behind;
            match byte {
                b'\\' => rest = unescape(behind, &mut packed).ok_or("its PEM is not base64")?,
                // These surround each line in a JSON array or in source code.
                b'"' | b'\'' | b',' => {}
                byte if byte.is_ascii_whitespace() => {}
                byte => packed.push(*byte),
            }
        }
        BASE64.decode(&packed).map(Zeroizing::new).map_err(|_| "its PEM is not base64")
    }
}

const DASHES: &[u8] = b"-----";
const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";

/// Whether `input` contains a block.
pub(super) fn is_in(input: &[u8]) -> bool {
    split_once(input, BEGIN).is_some()
}

fn is_label(label: &str) -> bool {
    label.len() <= 64 && label.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

/// Reads one escape of JSON or of a shell, after its first backslash, and returns the rest. Several backslashes in
/// a row are an escape that was escaped again.
fn unescape<'a>(text: &'a [u8], packed: &mut Vec<u8>) -> Option<&'a [u8]> {
    let backslashes = text.iter().take_while(|byte| **byte == b'\\').count();
    let (letter, rest) = text[backslashes..].split_first()?;
    match letter {
        b'n' | b'r' | b't' | b'\n' | b'\r' => Some(rest),
        b'/' => {
            packed.push(b'/');
            Some(rest)
        }
        // Some programs write +, = and the ends of lines as \u escapes.
        b'u' => {
            let (digits, rest) = rest.split_at_checked(4)?;
            let code = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
            if !code.is_ascii_whitespace() {
                packed.push(code);
            }
            Some(rest)
        }
        _ => None,
    }
}

fn split_once<'a>(haystack: &'a [u8], needle: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = haystack.windows(needle.len()).position(|window| window == needle)?;
    Some((&haystack[..at], &haystack[at + needle.len()..]))
}
