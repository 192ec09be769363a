//! PEM, the text form of keys (RFC 7468), and what is wrong with a text that is not.

use data_encoding::BASE64;
use zeroize::Zeroizing;

/// One PEM block.
pub(super) struct Block<'a> {
    /// What it says it is, such as `PRIVATE KEY`.
    pub(super) label: &'a str,
    /// Whether it has RFC 1421 headers that call it encrypted.
    pub(super) encrypted: bool,
    /// What was encoded.
    pub(super) der: Zeroizing<Vec<u8>>,
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

/// Reads the only block of a text; `None` if it has none. Text before the block is ignored, as RFC 7468
/// wants it; lines may have any length.
pub(super) fn decode(input: &[u8]) -> Option<Result<Block<'_>, &'static str>> {
    let start = find(input, BEGIN)?;
    Some(std::str::from_utf8(&input[start..]).map_err(|_| "its PEM is not text").and_then(block))
}

const BEGIN: &[u8] = b"-----BEGIN ";

fn block(text: &str) -> Result<Block<'_>, &'static str> {
    let (label, rest) =
        text["-----BEGIN ".len()..].split_once("-----").ok_or("its PEM header is not complete")?;
    let (body, after) = rest.split_once("-----END ").ok_or("its PEM has no end line")?;
    let after = after.strip_prefix(label).and_then(|after| after.strip_prefix("-----"));
    let after = after.ok_or("its PEM end line does not match the first")?;
    if find(after.as_bytes(), BEGIN).is_some() {
        return Err("it has several PEM blocks");
    }
    if !after.trim().is_empty() {
        return Err("it goes on after its PEM end line");
    }
    let encrypted = body.contains("Proc-Type:");
    let der = if encrypted { Zeroizing::default() } else { decode_base64(body)? };
    Ok(Block { label, encrypted, der })
}

fn decode_base64(body: &str) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let mut packed = Zeroizing::new(Vec::with_capacity(body.len()));
    packed.extend(body.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    BASE64.decode(&packed).map(Zeroizing::new).map_err(|_| "its PEM is not base64")
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
