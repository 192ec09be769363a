//! Bundles with one thing changed, each of which every verifier must refuse.

use signwave::{
    domain::{
        BatchId, Digest, Epoch, Fingerprint, RecordId, Scheme, Time,
        ledger::{Bundle, Checkpoint, Hash, Note, VerifierKey, leaf_hash},
    },
    formats::bundle::write,
    signer::LedgerKey,
};

use super::Ledger;

/// Lines, each with what was changed in it.
pub type Mutants = Vec<(String, String)>;

/// A change of a bundle that leaves it one.
type Change = fn(&mut Bundle);

/// Every change of each third bundle that leaves it a bundle.
pub fn changed(ledger: &Ledger) -> Mutants {
    let of = |(number, bundle): (usize, &Bundle)| {
        let changes = CHANGES.iter().chain(&ENTRY_CHANGES).map(|(what, change)| {
            let mut changed = bundle.clone();
            change(&mut changed);
            (*what, changed)
        });
        let notes = notes(ledger, &bundle.checkpoint).into_iter().map(|(what, note)| {
            let changed = Bundle { checkpoint: note, ..bundle.clone() };
            (what, changed)
        });
        let all = changes.chain(notes).filter(|(_, changed)| changed != bundle);
        all.map(|(what, changed)| (format!("{what} in {number}"), write(&changed).unwrap()))
            .collect::<Vec<_>>()
    };
    ledger.bundles.iter().enumerate().step_by(3).flat_map(of).collect()
}

fn flip(bytes: &mut [u8]) {
    if let Some(byte) = bytes.last_mut() {
        *byte ^= 1;
    }
}

fn other_hash() -> Hash {
    leaf_hash(b"other")
}

fn of_length(length: usize, bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().chain(std::iter::repeat(0)).take(length).collect()
}

/// Sets the sign of the modulus, if it has a byte for it. No other number of a key is that long.
fn negate_modulus(spki: &mut [u8]) {
    let at = spki.windows(5).position(|bytes| bytes[0] == 2 && bytes[1] == 0x82 && bytes[4] == 0);
    if let Some(at) = at {
        spki[at + 4] = 0x80;
    }
}

const CHANGES: [(&str, Change); 33] = [
    ("another name", |it| it.external_id = Some("another".to_owned())),
    ("an empty name", |it| it.external_id = Some(String::new())),
    ("no name", |it| it.external_id = None),
    ("the record before", |it| it.record = RecordId((it.record.0 - 1).max(1))),
    ("the record after", |it| it.record = RecordId(it.record.0 + 1)),
    ("a distant record", |it| it.record = RecordId(i64::MAX)),
    ("another payload", |it| it.payload.iter_mut().for_each(|payload| flip(payload))),
    ("a longer payload", |it| it.payload.iter_mut().for_each(|payload| payload.push(0))),
    ("no byte of payload", |it| it.payload.iter_mut().for_each(Vec::clear)),
    ("a payload that was not there", |it| {
        it.payload.get_or_insert_with(|| b"x".to_vec());
    }),
    ("another digest", |it| {
        let mut bytes = it.digest.as_bytes().to_vec();
        flip(&mut bytes);
        it.digest = Digest::new(it.digest.algorithm(), &bytes).unwrap();
    }),
    ("PS256", |it| as_scheme(it, Scheme::Ps256)),
    ("RS256", |it| as_scheme(it, Scheme::Rs256)),
    ("PS512", |it| as_scheme(it, Scheme::Ps512)),
    ("another signature", |it| flip(&mut it.signature)),
    ("a signature of zeros", |it| it.signature.fill(0)),
    ("a signature of ones", |it| it.signature.fill(0xff)),
    ("no signature", |it| it.signature.clear()),
    ("a shorter signature", |it| it.signature.truncate(it.signature.len() - 1)),
    ("a longer signature", |it| it.signature.insert(0, 0)),
    ("another modulus", |it| it.spki[40] ^= 1),
    ("another exponent", |it| flip(&mut it.spki)),
    ("a key with another tag", |it| it.spki[0] = 0x31),
    ("a key and more", |it| it.spki.push(0)),
    ("a key with a longer length", |it| drop(it.spki.splice(1..2, [0x83, 0]))),
    ("a key with a negative modulus", |it| negate_modulus(&mut it.spki)),
    ("half a key", |it| it.spki.truncate(100)),
    ("no key", |it| it.spki.clear()),
    ("another index in the batch", |it| it.in_batch.index += 1),
    ("more records", |it| it.records += 1),
    ("no path in the batch", |it| it.in_batch.path.clear()),
    ("a longer path in the batch", |it| it.in_batch.path.push(other_hash())),
    ("another path in the batch", |it| {
        it.in_batch.path.iter_mut().for_each(|hash| *hash = other_hash());
    }),
];

const ENTRY_CHANGES: [(&str, Change); 16] = [
    ("another batch", |it| it.entry.batch = BatchId(it.entry.batch.0 + 1)),
    ("another run", |it| it.entry.records = "1-100".parse().unwrap()),
    ("another epoch", |it| it.entry.epoch = Epoch(it.entry.epoch.0 + 1)),
    ("another scheme of the entry", |it| {
        it.entry.scheme = if it.entry.scheme == Scheme::Ps256 { Scheme::Rs256 } else { Scheme::Ps256 };
    }),
    ("another fingerprint", |it| it.entry.fingerprint = Fingerprint([7; 32])),
    ("another time", |it| it.entry.signed_at = Time::from_millis(0)),
    ("another root", |it| it.entry.root = other_hash()),
    ("another index", |it| it.in_ledger.index += 1),
    ("the first index", |it| it.in_ledger.index = 0),
    ("an index beyond the ledger", |it| it.in_ledger.index = (1 << 53) - 1),
    ("no path", |it| it.in_ledger.path.clear()),
    ("a path of 64 hashes", |it| it.in_ledger.path = vec![other_hash(); 64]),
    ("a path of 65 hashes", |it| it.in_ledger.path = vec![other_hash(); 65]),
    ("a longer path", |it| it.in_ledger.path.push(other_hash())),
    ("a shorter path", |it| it.in_ledger.path.truncate(1)),
    ("a path in another order", |it| it.in_ledger.path.reverse()),
];

/// Changes the scheme, and the digest to one of its length.
fn as_scheme(bundle: &mut Bundle, scheme: Scheme) {
    let digest = of_length(scheme.digest().output_len(), bundle.digest.as_bytes());
    bundle.digest = Digest::new(scheme.digest(), &digest).unwrap();
    bundle.scheme = scheme;
}

/// Other checkpoints.
fn notes(ledger: &Ledger, note: &Note) -> Vec<(&'static str, Note)> {
    let Checkpoint { origin, size, root } = note.checkpoint().unwrap();
    let stranger = LedgerKey::generate().unwrap();
    let by_stranger = stranger.sign(note.text()).unwrap();
    let checkpoint = Checkpoint { origin, size, root };
    let key_of_stranger = VerifierKey { origin, public: stranger.public() };
    let text = note.to_string();
    let replaced = |from: &str, to: &str| text.replacen(from, to, 1).parse::<Note>().unwrap();
    let line = text.lines().last().unwrap().to_owned();
    vec![
        ("a checkpoint of another root", ledger.note(size, other_hash())),
        ("a far larger checkpoint", ledger.note(size << 20, root)),
        ("an empty checkpoint", ledger.note(0, other_hash())),
        ("a changed size", replaced(&format!("\n{size}\n"), &format!("\n{}\n", size + 1))),
        ("a changed root", replaced(&root.to_string(), &other_hash().to_string())),
        ("a changed origin", replaced("/2\n", "/1\n")),
        ("another name of the key", replaced("/2 ", "/1 ")),
        ("a signature by a stranger", Note::new(&checkpoint, &key_of_stranger, &by_stranger)),
        ("a stranger's in the key's name", Note::new(&checkpoint, &ledger.vkey(), &by_stranger)),
        (
            "a signature of another text",
            Note::new(&checkpoint, &ledger.vkey(), &ledger.key.sign("x").unwrap()),
        ),
        ("an extension line", replaced("\n\n", "\nextension\n\n")),
        ("no checkpoint", format!("text\n\n{line}\n").parse().unwrap()),
    ]
}

/// Other texts of a bundle, and texts that are none.
pub fn respelled(bundle: &Bundle) -> Mutants {
    let text = write(bundle).unwrap();
    let mut mutants: Mutants = REPLACEMENTS
        .iter()
        .map(|(from, to)| {
            assert!(text.contains(from), "{from} in {text}");
            (format!("'{to}' in the place of '{from}'"), text.replacen(from, to, 1))
        })
        .collect();
    let both_ends = ["{}", "[]", "null", "1", "\"\"", "", " ", "\u{feff}", "\0", "}", "[", "\r"];
    mutants.extend(both_ends.iter().map(|more| (format!("{more:?} behind it"), format!("{text}{more}"))));
    mutants.extend(both_ends.iter().map(|more| (format!("{more:?} before it"), format!("{more}{text}"))));
    mutants.extend(both_ends.iter().map(|only| (format!("{only:?} only"), (*only).to_owned())));
    let line = "\\n\u{2014} a AAAAAAA=".repeat(16);
    mutants.push(("17 signatures".to_owned(), text.replace("\\n\"}", &format!("{line}\\n\"}}"))));
    mutants.push((
        "a long checkpoint".to_owned(),
        text.replace("\u{2014} ", &format!("\u{2014} {} AAAAAAA=\\n\u{2014} ", "a".repeat(1 << 16))),
    ));
    mutants.push(("nested arrays".to_owned(), "[".repeat(100_000)));
    mutants.push((
        "spaces".to_owned(),
        format!("{:#}", serde_json::from_str::<serde_json::Value>(&text).unwrap()),
    ));
    // A value with line ends would be several lines.
    mutants.iter_mut().for_each(|(_, mutant)| *mutant = mutant.replace('\n', " "));
    mutants.retain(|(_, mutant)| *mutant != text);
    mutants
}

/// Of the bundle of record 2: its batch has the records 2-4 and 7, and its record index is 0.
const REPLACEMENTS: [(&str, &str); 84] = [
    ("bundle/v1", "bundle/v2"),
    ("\"bundle\":", "\"bundel\":"),
    ("{\"bundle\"", "{\"more\":1,\"bundle\""),
    ("{\"bundle\"", "{\"bundle\":\"signwave/bundle/v1\",\"bundle\""),
    ("{\"id\"", "{\"id\":\"1\",\"id\""),
    ("\"external_id\":null,", ""),
    ("\"external_id\":null", "\"external_id\":0"),
    ("\"external_id\":null", "\"external_id\":[]"),
    ("\"external_id\":null", "\"external_id\":false"),
    ("\"external_id\":null", "\"external_id\":\"\\ud800\""),
    ("\"external_id\":null", "\"external_id\":\"\\u0041\""),
    ("\"external_id\":null", "\"external_id\":\"\\/\""),
    ("\"external_id\":null", "\"external_id\":\"\u{1b}\""),
    ("\"external_id\":null", "\"\\u001b[2J\":null,\"external_id\":null"),
    ("\"payload\":\"", "\"payload\":null,\"x\":\""),
    ("\"id\":\"", "\"id\":\"0"),
    ("\"id\":\"", "\"id\":\"+"),
    ("\"id\":\"", "\"id\":\"-"),
    ("\"id\":\"", "\"id\":\""),
    ("\"id\":\"2\"", "\"id\":2"),
    ("\"id\":\"2\"", "\"id\":\"9223372036854775808\""),
    ("\"scheme\":\"PS", "\"scheme\":\"ps"),
    ("\"scheme\":\"PS", "\"scheme\":\"ES"),
    ("\"record_index\":0", "\"record_index\":-0"),
    ("\"record_index\":0", "\"record_index\":0.0"),
    ("\"record_index\":0", "\"record_index\":0e0"),
    ("\"record_index\":0", "\"record_index\":00"),
    ("\"record_index\":0", "\"record_index\":\"0\""),
    ("\"record_index\":0", "\"record_index\":false"),
    ("\"record_index\":0", "\"record_index\":9007199254740992"),
    ("\"record_index\":0", "\"record_index\":18446744073709551616"),
    ("\"path\":[", "\"path\":[\"\","),
    ("\"path\":[", "\"path\":[\"AAAA\","),
    ("\"path\":[", "\"path\":[1,"),
    ("\"path\":[", "\"path\":[null],\"x\":["),
    ("=\",\"digest", "\",\"digest"),
    ("=\",\"digest", "==\",\"digest"),
    ("go=\",\"digest", "gp=\",\"digest"), // bits that no byte has
    ("=\",\"digest", "=AAAA\",\"digest"),
    ("=\"", "= \""),
    ("\"record_index\":0", "\"record_index\":-1"),
    ("\"digest\":\"", "\"digest\":\"AAAA"),
    // Entries that are none, though each could be read in some way.
    ("batch/v1\\n", "batch/v2\\n"),
    ("batch/v1\\n2\\n", "batch/v1\\n0\\n"),
    ("batch/v1\\n2\\n", "batch/v1\\n-2\\n"),
    ("batch/v1\\n2\\n", "batch/v1\\n02\\n"),
    ("batch/v1\\n2\\n", "batch/v1\\n9223372036854775808\\n"),
    ("\\n2-4,7\\n", "\\n2-3,4,7\\n"),
    ("\\n2-4,7\\n", "\\n2-4,4,7\\n"),
    ("\\n2-4,7\\n", "\\n7,2-4\\n"),
    ("\\n2-4,7\\n", "\\n2-4,7-7\\n"),
    ("\\n2-4,7\\n", "\\n4-2,7\\n"),
    ("\\n2-4,7\\n", "\\n2-4,07\\n"),
    ("\\n2-4,7\\n", "\\n2-4,7,\\n"),
    ("\\n2-4,7\\n", "\\n2-3-4,7\\n"),
    ("\\n2-4,7\\n", "\\n0,2-4,7\\n"),
    ("\\n2-4,7\\n", "\\n\\n"),
    ("\\n2-4,7\\n1\\n", "\\n2-4,7\\n0\\n"),
    ("\\nPS384\\n", "\\nps384\\n"),
    ("\\nPS384\\n", "\\nES384\\n"),
    ("\\n53b676", "\\n53B676"),
    ("\\n53b676", "\\n53b67"),
    ("-11-24T", "-02-30T"),
    ("\\n2025-", "\\n1969-"),
    ("\\n2025-", "\\n+12025-"),
    ("T16:00:00.123Z", "T16:00:00Z"),
    ("T16:00:00.123Z", "T24:00:00.123Z"),
    ("T16:00:00.123Z", "T16:00:60.123Z"),
    ("T16:00:00.123Z", "T16:00:00.1234Z"),
    ("T16:00:00.123Z", " 16:00:00.123Z"),
    ("T16:00:00.123Z", "T16:00:00.123+00:00"),
    ("=\\n\",\"record_index", "=\",\"record_index"),
    ("=\\n\",\"record_index", "=\\n\\n\",\"record_index"),
    // Checkpoints that are none.
    ("/2\\n11\\n", "/02\\n11\\n"),
    ("/2\\n11\\n", "/4294967296\\n11\\n"),
    ("/2\\n11\\n", "/2\\n011\\n"),
    ("/2\\n11\\n", "/2\\n18446744073709551616\\n"),
    ("/2\\n11\\n", "/2\\n-11\\n"),
    ("\\n\\n\u{2014} ", "\\n\\n\u{2014} a+b AAAAAAA=\\n\u{2014} "),
    ("\\n\\n\u{2014} ", "\\n\\n\u{2014} a AAAAAA==\\n\u{2014} "),
    ("\\n\\n\u{2014} ", "\\n\\n- a AAAAAAA=\\n\u{2014} "),
    ("\\n\\n\u{2014} ", "\\n\\n\u{2014} a\\tb AAAAAAA=\\n\u{2014} "),
    ("\\n\\n\u{2014} ", "\\n\\n\u{2014} a\u{a0}b AAAAAAA=\\n\u{2014} "),
    ("\"checkpoint\":\"", "\"checkpoint\":\"\\n\\n"),
];

/// The text with one character changed, in about so many places.
pub fn misspelled(bundle: &Bundle, places: usize) -> Mutants {
    let text = write(bundle).unwrap();
    let step = (text.len() / places).max(1);
    let at =
        (0..text.len()).step_by(step).filter(|at| text.is_char_boundary(*at) && text.as_bytes()[*at] < 128);
    at.map(|at| {
        let other = match text.as_bytes()[at] {
            b'A' | b'1' => "B",
            byte if byte.is_ascii_alphanumeric() => "1",
            _ => "A",
        };
        (format!("'{other}' at {at}"), format!("{}{other}{}", &text[..at], &text[at + 1..]))
    })
    .collect()
}
