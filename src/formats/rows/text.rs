//! Text, as every format needs it: UTF-8 or another encoding that keeps ASCII as it is. A byte order mark is
//! removed. Other input is refused, with the command that converts it.
//!
//! The kinds below are few and certain. The crate `infer` needs two bytes only, but a text may begin with "BM" or "MZ".

use std::io::{BufReader, Chain, Cursor, Read};

use super::{flaw::Flaw, format::Format, row::Malformed};

/// An input that is text as far as its first bytes tell, without its byte order mark.
pub type Text<R> = BufReader<Chain<Cursor<Vec<u8>>, R>>;

/// Looks at the first bytes of `input`.
///
/// # Errors
/// When they show that the input is not text, or not text in this format.
pub fn text<R: Read>(mut input: R, format: Format) -> Result<Text<R>, Malformed> {
    let mut head = Vec::new();
    input
        .by_ref()
        .take(HEAD)
        .read_to_end(&mut head)
        .map_err(|error| Malformed::new(1, &unreadable(&error)))?;
    while head.starts_with(UTF8_MARK) {
        head.drain(..UTF8_MARK.len());
    }
    match foreign(&head, format) {
        Some(reason) => Err(Malformed::new(1, &reason)),
        None => Ok(BufReader::with_capacity(1 << 16, Cursor::new(head).chain(input))),
    }
}

/// Refuses a line with a NUL byte. Text has none, and the line may be UTF-16 that was not recognised.
pub fn check_no_nul(line: &[u8]) -> Result<(), Flaw> {
    if line.contains(&0) { Err(Flaw::Nul) } else { Ok(()) }
}

/// The byte order mark of UTF-8.
pub const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// The error for a byte order mark within the input.
pub const MARK_WITHIN: &str = "the line begins with a byte order mark, as in joined files: remove the mark";

/// The error for an input that cannot be read.
pub fn unreadable(error: &std::io::Error) -> String {
    format!("cannot read the input: {error}")
}

/// How many bytes are examined before any row is read.
const HEAD: u64 = 4096;

/// How other files begin, what they are, and the program that turns them into text on its output.
const PACKED: [(&[u8], &str, &str); 12] = [
    (b"\x1f\x8b", "compressed with gzip", "zcat"),
    (b"\x1f\x9d", "compressed with compress", "zcat"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "zstdcat"),
    (b"\xfd7zXZ\0", "compressed with xz", "xzcat"),
    (b"BZh91AY&SY", "compressed with bzip2", "bzcat"),
    (b"\x04\x22\x4d\x18", "compressed with lz4", "lz4cat"),
    (b"LZIP\x01", "compressed with lzip", "lzip -dc"),
    (b"\xff\xfe\0\0", "UTF-32 text", "iconv -f UTF-32 -t UTF-8"),
    (b"\0\0\xfe\xff", "UTF-32 text", "iconv -f UTF-32 -t UTF-8"),
    (b"\xff\xfe", "UTF-16 text", "iconv -f UTF-16 -t UTF-8"),
    (b"\xfe\xff", "UTF-16 text", "iconv -f UTF-16 -t UTF-8"),
    (b"\x84\x31\x95\x33", "GB18030 text", "iconv -f GB18030 -t UTF-8"),
];

/// The same for files that no single program turns into text.
const OTHER: [(&[u8], &str); 10] = [
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (b"PK\x07\x08", ZIP),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it with '7z x FILE'"),
    (b"Rar!\x1a\x07", "a RAR archive: unpack it with 'unrar x FILE'"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office file: save it as 'CSV UTF-8' and import that"),
    (b"%PDF-", "a PDF document: import the records from a file of text"),
    (b"{\\rtf", "a document in RTF: save it as text in UTF-8"),
    (
        b"SQLite format 3\0",
        "an SQLite database: write its records as JSON lines, with binary payloads in base64 (payload_base64)",
    ),
    (b"PAR1\x15", "a Parquet file: convert it to JSON lines or CSV"),
];
const ZIP: &str = "a ZIP archive or a spreadsheet: unpack it with 'unzip FILE', or save the spreadsheet as 'CSV \
                   UTF-8'";

/// What the input is, if it is not text in this format.
fn foreign(head: &[u8], format: Format) -> Option<String> {
    let command = |program: &str| format!("'{program} FILE | signwave import - --format {}'", format.name());
    if let Some((_, what, program)) = PACKED.iter().find(|(magic, ..)| begins(head, magic)) {
        return Some(format!("the input is {what}: run {}", command(program)));
    }
    if let Some((_, what)) = OTHER.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(format!("the input is {what}"));
    }
    if head.get(257..262) == Some(b"ustar") {
        return Some("the input is a tar archive: unpack it with 'tar -xf FILE'".to_owned());
    }
    if let Some(encoding) = wide(head) {
        let command = command(&format!("iconv -f {encoding} -t UTF-8"));
        return Some(format!(
            "the input looks like {encoding} text: if it is, run {command}; otherwise give binary payloads as \
             payload_base64 in jsonl or csv"
        ));
    }
    let is_utf8 = std::str::from_utf8(head).err().is_none_or(|error| error.error_len().is_none());
    if head.contains(&0) && !is_utf8 {
        return Some(
            "the input is binary: give binary payloads as payload_base64 in jsonl or csv".to_owned(),
        );
    }
    let is_json = matches!(head.trim_ascii_start().first(), Some(b'{' | b'['));
    (format == Format::Csv && is_json).then(|| "the input is JSON: add --format jsonl".to_owned())
}

/// The fourth byte of bzip2 is its block size, 1 to 9.
fn begins(head: &[u8], magic: &[u8]) -> bool {
    match head.get(..magic.len()) {
        Some([b'B', b'Z', b'h', b'1'..=b'9', rest @ ..]) if magic.starts_with(b"BZh") => rest == &magic[4..],
        found => found == Some(magic),
    }
}

/// The encoding of text in units of two or four bytes without a byte order mark. ASCII characters have zeros,
/// always in the same places. If the text has few ASCII characters, its line ends still have these zeros.
fn wide(head: &[u8]) -> Option<&'static str> {
    let mut zeros = [0; 4];
    head.iter().enumerate().filter(|(_, byte)| **byte == 0).for_each(|(at, _)| zeros[at % 4] += 1);
    let is_most = |zeros: usize, of: usize| zeros > 0 && zeros * of >= head.len();
    let is_wide = |zeros, line_end| zeros > 0 && (is_most(zeros, 4) || every_line_ends(head, line_end));
    match zeros {
        [0, a, b, c] if a > 0 && is_most(b.min(c), 5) => Some("UTF-32LE"),
        [a, b, c, 0] if c > 0 && is_most(a.min(b), 5) => Some("UTF-32BE"),
        [0, a, 0, b] if is_wide(a + b, *b"\n\0") => Some("UTF-16LE"),
        [a, 0, b, 0] if is_wide(a + b, *b"\0\n") => Some("UTF-16BE"),
        _ => None,
    }
}

fn every_line_ends(head: &[u8], line_end: [u8; 2]) -> bool {
    let lines = head.iter().filter(|byte| **byte == b'\n').count();
    lines > 0 && lines == head.chunks_exact(2).filter(|unit| *unit == line_end).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut text = text(bytes, Format::Lines).map_err(|malformed| malformed.reason)?;
        let mut read = Vec::new();
        text.read_to_end(&mut read).unwrap();
        Ok(read)
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn text_is_read_as_it_is_without_a_byte_order_mark() {
        let long = "x\n".repeat(10_000);
        for text in ["", "a", "BM", "MZ", "BZh", "BZh9 is bzip2", "PK", "LZIP", "%PD", "ok\nba\0d\n", &long] {
            assert_eq!(read(text.as_bytes()).unwrap(), text.as_bytes(), "{text:.20}");
            assert_eq!(read(format!("\u{feff}{text}").as_bytes()).unwrap(), text.as_bytes(), "{text:.20}");
        }
        assert_eq!(read(b"caf\xe9\n").unwrap(), b"caf\xe9\n", "Latin-1");
    }

    #[test]
    fn what_is_no_text_is_named_with_the_way_out() {
        let (little, big) = (u16::to_le_bytes as fn(u16) -> [u8; 2], u16::to_be_bytes as fn(u16) -> [u8; 2]);
        let utf32 = |bytes: fn(u32) -> [u8; 4]| "first\n".chars().map(u32::from).flat_map(bytes).collect();
        let mut tar = vec![b'a'; 257];
        tar.extend(b"ustar\0");
        for (bytes, expected) in [
            (
                utf16("\u{feff}first\n", little),
                "iconv -f UTF-16 -t UTF-8 FILE | signwave import - --format lines",
            ),
            (utf16("\u{feff}first\n", big), "iconv -f UTF-16 -t UTF-8 FILE"),
            (utf16("first\nsecond\n", little), "iconv -f UTF-16LE -t UTF-8 FILE"),
            (utf16("first\nsecond\n", big), "iconv -f UTF-16BE -t UTF-8 FILE"),
            (utf16("漢字漢字漢字\n漢字\n", little), "iconv -f UTF-16LE -t UTF-8 FILE"),
            (utf16("漢字漢字漢字\n漢字\n", big), "iconv -f UTF-16BE -t UTF-8 FILE"),
            (utf32(u32::to_le_bytes), "iconv -f UTF-32LE"),
            (utf32(u32::to_be_bytes), "iconv -f UTF-32BE"),
            (
                b"\x1f\x8b\x08".to_vec(),
                "compressed with gzip: run 'zcat FILE | signwave import - --format lines'",
            ),
            (b"\xef\xbb\xbf\x1f\x8b\x08".to_vec(), "zcat"),
            (b"BZh11AY&SY".to_vec(), "bzcat"),
            (b"PK\x03\x04..".to_vec(), "unzip"),
            (b"%PDF-1.7\n".to_vec(), "PDF"),
            (tar, "tar -xf"),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), "binary"),
            (b"\x78\x9c\x4b\x4c\0\x21\xff".to_vec(), "binary"),
        ] {
            let reason = read(&bytes).unwrap_err();
            assert!(reason.contains(expected), "{bytes:x?}: {reason}");
        }
    }
}
