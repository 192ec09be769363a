//! PEM, the text form of keys (RFC 7468), and what is wrong with a text that is not.

use data_encoding::BASE64;
use zeroize::Zeroizing;

/// One PEM block.
pub(super) struct Block<'a> {
    /// What it says it is, such as `PRIVATE KEY`.
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

/// Finds the blocks of a text. What is around them is ignored, as RFC 7468 wants it, in any encoding: bag
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
    /// Whether it has RFC 1421 headers that call it encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        split_once(self.body, b"Proc-Type:").is_some()
    }

    /// What was encoded. Lines may have any length, and may be one: in JSON, in a shell's variable and in many
    /// a secret store the ends of lines are escapes such as `\n`.
    pub(super) fn der(&self) -> Result<Zeroizing<Vec<u8>>, &'static str> {
        let mut packed = Zeroizing::new(Vec::with_capacity(self.body.len()));
        let mut rest = self.body;
        while let Some((byte, behind)) = rest.split_first() {
            rest = behind;
            match byte {
                b'\\' => rest = unescape(behind, &mut packed).ok_or("its PEM is not base64")?,
                // Around each line, in an array of JSON or a program's text.
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

/// Whether there is a block in `input`.
pub(super) fn is_in(input: &[u8]) -> bool {
    split_once(input, BEGIN).is_some()
}

fn is_label(label: &str) -> bool {
    label.len() <= 64 && label.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

/// Takes one escape of JSON or of a shell, of which the first backslash has been read: several of them are
/// one that was escaped again. Gives what follows.
fn unescape<'a>(text: &'a [u8], packed: &mut Vec<u8>) -> Option<&'a [u8]> {
    let backslashes = text.iter().take_while(|byte| **byte == b'\\').count();
    let (letter, rest) = text[backslashes..].split_first()?;
    match letter {
        b'n' | b'r' | b't' | b'\n' | b'\r' => Some(rest),
        b'/' => {
            packed.push(b'/');
            Some(rest)
        }
        // Some write + and = like this, and the ends of lines.
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
