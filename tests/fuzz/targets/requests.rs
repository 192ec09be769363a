//! What clients of the HTTP API send.

use std::time::Duration;

use signwave::{
    formats::rows::{Format, Record, Splitter, max_object, object, rows},
    http::{idempotency_key, prefer},
};

/// Small, so that inputs pass it.
const MAX_PAYLOAD: usize = 100;

/// The header Prefer: any number of headers is as good as one, and what is added behind changes nothing.
pub fn prefer(bytes: &[u8]) {
    let found = prefer::wait([bytes]);
    assert_eq!(prefer::wait([&b""[..], bytes, b", ,"]), found);
    if let Ok(wait) = found {
        let later = prefer::wait([bytes, b"wait=7"]);
        assert_eq!(later, Ok(wait.or(Some(Duration::from_secs(7)))), "the first one counts");
        let joined = [bytes, b" ,\twait=7"].concat();
        assert_eq!(prefer::wait([joined.as_slice()]), later);
    }
}

/// The header Idempotency-Key: each key leads to another name, and every name can be stored.
pub fn idempotency_key(bytes: &[u8]) {
    let token = "abcdefghij".parse().expect("an id");
    let Ok(name) = idempotency_key::name(&token, bytes) else { return };
    let key = name.strip_prefix("idempotency:abcdefghij:").expect("names of keys have a namespace");
    assert!((1..=255).contains(&key.len()) && key.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{key}");
    assert!(idempotency_key::is_reserved(&name));
    let written = format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""));
    assert_eq!(written.as_bytes(), bytes, "a key has one form only");
}

/// Lines of a bulk request: however they arrive, they are what `import` reads of the same text.
pub fn json_lines(bytes: &[u8]) {
    let whole = lines(bytes, bytes.len().max(1));
    assert_eq!(lines(bytes, 1 + bytes.len() % 5), whole);
    let Ok(mut source) = rows(Format::Jsonl, bytes, MAX_PAYLOAD) else { return };
    let mut imported = Vec::new();
    let malformed = loop {
        match source.next() {
            Ok(Some(row)) => imported.push((row.line, row.record)),
            Ok(None) => break None,
            Err(malformed) => break Some(malformed.line),
        }
    };
    assert_eq!(whole, (imported, malformed));
}

/// The records before the first line that is not valid, and that line.
fn lines(text: &[u8], size: usize) -> (Vec<(u64, Record)>, Option<u64>) {
    let (mut splitter, mut records) = (Splitter::new(max_object(MAX_PAYLOAD)), Vec::new());
    let mut pieces = text.chunks(size);
    loop {
        match splitter.next_line() {
            Ok(Some((line, text))) => match object(&text, MAX_PAYLOAD) {
                Ok(record) => records.push((line, record)),
                Err(flaw) => {
                    super::readable(&flaw.sentence());
                    return (records, Some(line));
                }
            },
            Ok(None) if splitter.is_ended() => return (records, None),
            Ok(None) => match pieces.next() {
                Some(piece) => splitter.add(piece),
                None => splitter.end(),
            },
            Err(too_long) => return (records, Some(too_long.0)),
        }
    }
}
