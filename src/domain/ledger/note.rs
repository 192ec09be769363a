//! Signed notes: the form in which checkpoints are published (<https://c2sp.org/signed-note>).

use std::{fmt, str::FromStr};

use data_encoding::{BASE64, HEXLOWER};

use super::{BadCheckpoint, Checkpoint, Hash, Origin};

/// The type of an Ed25519 signature in a note.
const ED25519: u8 = 1;

/// The public key of a ledger: an Ed25519 key, whose name in notes is the origin. Its text is
/// `<origin>+<key id, 8 hex digits>+<base64 of the type and the key>`, which tools call a vkey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    /// Whose key it is.
    pub origin: Origin,
    /// The key (RFC 8032, section 5.1.5).
    pub public: [u8; 32],
}

/// Text that is no [`VerifierKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key of a ledger is written as signwave/0123456789abcdef/1+01234567+AbCd..=")]
pub struct BadVerifierKey;

impl VerifierKey {
    /// Tells keys of one name apart: the first 4 bytes of SHA-256 over the name, LF, the type and the key.
    pub fn id(&self) -> [u8; 4] {
        let name = self.origin.to_string();
        let [a, b, c, d, ..] = Hash::of(&[name.as_bytes(), &[b'\n', ED25519], &self.public]).0;
        [a, b, c, d]
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[ED25519], &self.public[..]].concat();
        write!(f, "{}+{}+{}", self.origin, HEXLOWER.encode(&self.id()), BASE64.encode(&key))
    }
}

impl FromStr for VerifierKey {
    type Err = BadVerifierKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (origin, rest) = text.split_once('+')?;
            let (_, key) = rest.split_once('+')?;
            let key = BASE64.decode(key.as_bytes()).ok()?;
            let (_, public) = key.split_first()?;
            Some(Self { origin: origin.parse().ok()?, public: public.try_into().ok()? })
        };
        // This also compares id and type.
        read().filter(|key| key.to_string() == text).ok_or(BadVerifierKey)
    }
}

/// A text with its signatures, none of which is verified here. Its own text is the text that is signed, an empty line, and
/// a line for each signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key: not empty, without spaces and `+`.
    pub name: String,
    /// The id of the key.
    pub key_id: [u8; 4],
    /// The signature, in the form that the type of the key asks for.
    pub bytes: Vec<u8>,
}

/// Text that is no [`Note`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no signed note")]
pub struct BadNote;

impl Note {
    /// The longest note that is read, in bytes.
    const MAX_LENGTH: usize = 64 * 1024;
    /// The most signatures that are read.
    const MAX_SIGNATURES: usize = 16;

    /// A checkpoint with its signature by the ledger's key. What is signed is the checkpoint's text.
    pub fn new(checkpoint: &Checkpoint, key: &VerifierKey, signature: &[u8; 64]) -> Self {
        let (name, key_id) = (key.origin.to_string(), key.id());
        let signatures = vec![NoteSignature { name, key_id, bytes: signature.to_vec() }];
        Self { text: checkpoint.to_string(), signatures }
    }

    /// The text that is signed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is signed, as a checkpoint of Sign Wave.
    ///
    /// # Errors
    /// [`BadCheckpoint`] if the text is another.
    pub fn checkpoint(&self) -> Result<Checkpoint, BadCheckpoint> {
        self.text.parse()
    }

    /// All signatures, of which at least one is there.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// The signature that says to be by `key`. Callers must verify it over [`text`](Self::text).
    pub fn signature_of(&self, key: &VerifierKey) -> Option<&[u8]> {
        let (name, id) = (key.origin.to_string(), key.id());
        let by = |found: &&NoteSignature| found.name == name && found.key_id == id;
        self.signatures.iter().find(by).map(|found| &*found.bytes)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|NoteSignature { name, key_id, bytes }| {
            writeln!(f, "\u{2014} {name} {}", BASE64.encode(&[key_id, &bytes[..]].concat()))
        })
    }
}

impl FromStr for Note {
    type Err = BadNote;

    fn from_str(whole: &str) -> Result<Self, Self::Err> {
        let is_fit = whole.len() <= Self::MAX_LENGTH && !whole.contains(|c: char| c < ' ' && c != '\n');
        let parts = whole.strip_suffix('\n').filter(|_| is_fit).and_then(|text| text.rsplit_once("\n\n"));
        let (text, lines) = parts.ok_or(BadNote)?;
        let signatures: Option<Vec<_>> =
            lines.split('\n').take(Self::MAX_SIGNATURES + 1).map(NoteSignature::read).collect();
        let signatures = signatures.filter(|all| all.len() <= Self::MAX_SIGNATURES).ok_or(BadNote)?;
        let note = Self { text: format!("{text}\n"), signatures };
        // Base64 of several parts is read, too, and is not what was written.
        if note.to_string() == whole { Ok(note) } else { Err(BadNote) }
    }
}

impl NoteSignature {
    fn read(line: &str) -> Option<Self> {
        let (name, signature) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        let is_name = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+');
        let bytes = BASE64.decode(signature.as_bytes()).ok().filter(|_| is_name)?;
        let (key_id, bytes) = bytes.split_first_chunk().filter(|(_, bytes)| !bytes.is_empty())?;
        Some(Self { name: name.to_owned(), key_id: *key_id, bytes: bytes.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ledger::leaf_hash;

    const KEY: &str = "signwave/0123456789abcdef/1";

    fn note() -> (Checkpoint, VerifierKey, Note) {
        let origin = KEY.parse().unwrap();
        let checkpoint = Checkpoint { origin, size: 3, root: leaf_hash(b"") };
        let key = VerifierKey { origin, public: [7; 32] };
        (checkpoint, key, Note::new(&checkpoint, &key, &[9; 64]))
    }

    #[test]
    fn a_note_is_read_back_and_has_the_signature_of_its_key() {
        let (checkpoint, key, note) = note();
        let read: Note = note.to_string().parse().unwrap();
        assert_eq!(read, note);
        assert_eq!(read.checkpoint(), Ok(checkpoint));
        assert_eq!(read.signature_of(&key), Some(&[9; 64][..]));
        assert_eq!(read.signature_of(&VerifierKey { public: [8; 32], ..key }), None);
        assert_eq!(read.signatures().len(), 1);
    }

    #[test]
    fn what_is_no_note_is_refused() {
        let text = note().2.to_string();
        let signature = text.lines().last().unwrap().to_owned();
        for other in [
            String::new(),
            text.trim_end().to_owned(),
            format!("{text}\n"),
            text.replace("\n\n", "\n"),
            text.replace('\u{2014}', "-"),
            text.replace(KEY, ""),
            text.replace(&format!(" {KEY} "), " a+b "),
            text.replace('=', ""),
            text.replace("3\n", "3\r\n"),
            format!("{text}\u{2014} a AAAAAA==\n"),
            format!("{text}{}", format!("{signature}\n").repeat(16)),
            format!("{}\n{text}", "x".repeat(Note::MAX_LENGTH)),
        ] {
            assert_eq!(other.parse::<Note>(), Err(BadNote), "{other:?}");
        }
        assert!(format!("{text}{}", format!("{signature}\n").repeat(15)).parse::<Note>().is_ok());
        assert!(format!("\n\n{text}").parse::<Note>().is_ok(), "a text may have empty lines");
    }

    #[test]
    fn a_key_has_one_text() {
        let (_, key, _) = note();
        let text = key.to_string();
        assert_eq!(text.parse(), Ok(key));
        for (at, _) in text.char_indices() {
            let other = format!("{}0{}", &text[..at], &text[at + 1..]);
            assert!(other == text || other.parse::<VerifierKey>() != Ok(key), "{other}");
            assert!(text[..at].parse::<VerifierKey>().is_err());
        }
    }
}
