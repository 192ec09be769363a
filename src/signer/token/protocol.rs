//! What a process that holds a token is asked, and what it answers: one JSON object in each line, requests to its
//! standard input and answers from its standard output.
//!
//! A request has a number, which its answers repeat. Any number of answers comes first, and then [`Answer::Done`] or
//! [`Answer::Failed`]. Requests are answered in any order.

use std::{
    io::{self, BufRead, Read},
    path::PathBuf,
};

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::{Location, LocationError};
use crate::domain::Scheme;

/// The argument with which this program holds a token.
pub const TOKEN_HOST: &str = "token-host";

/// The longest line in bytes, in both directions. The longest answer lists the mechanisms of a token.
pub const LONGEST_LINE: usize = 1 << 20;

/// How many digests one request has at most.
pub const DIGESTS_AT_MOST: usize = 64;

/// A question with its number.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Its number.
    pub id: u64,
    /// What is asked.
    pub ask: Ask,
}

/// What is asked of a token.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Ask {
    /// Load the module, log in, open sessions. This comes first, and once.
    Start(Start),
    /// Sign digests. The answers are as many [`Answer::Signature`].
    Sign(ToSign),
    /// List the private keys that may be meant. Each is an [`Answer::Key`].
    List(Wanted),
    /// Make a key pair, and answer with [`Answer::Key`].
    Generate(ToGenerate),
    /// Say what the token is and can do: [`Answer::Description`].
    Describe,
    /// Say whether the session is alive.
    Ping,
}

/// How to open a token.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The module.
    pub module: PathBuf,
    /// The label of the token.
    pub label: Option<String>,
    /// The serial number of the token.
    pub serial: Option<String>,
    /// A file whose first line is the user PIN.
    pub pin_file: PathBuf,
    /// How many sessions to open, if the token allows as many.
    pub sessions: usize,
    /// Whether to leave the PIN alone if the token reports a failed login, because that may have been ours.
    pub is_cautious: bool,
}

/// Which key is asked for, and which modulus it must have.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq, Hash)]
#[serde(deny_unknown_fields)]
pub struct KeyAddress {
    /// Where it is.
    #[serde(with = "by_text")]
    pub location: Location,
    /// The modulus without leading zeros, the most significant byte first.
    pub modulus: Bytes,
}

/// Digests to sign with one key.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ToSign {
    /// The key.
    pub key: KeyAddress,
    /// The scheme.
    #[serde(with = "by_text")]
    pub scheme: Scheme,
    /// At most [`DIGESTS_AT_MOST`].
    pub digests: Vec<Bytes>,
}

/// Which keys to list: those with this id and this label.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// `CKA_ID`.
    pub id: Option<Bytes>,
    /// `CKA_LABEL`.
    pub label: Option<String>,
}

/// A key to make.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ToGenerate {
    /// The size of the modulus.
    pub bits: u32,
    /// `CKA_ID` of both halves.
    pub id: Bytes,
    /// `CKA_LABEL` of both halves.
    pub label: String,
}

/// An answer with the number of its request.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// The number of the request.
    pub id: u64,
    /// The answer.
    pub answer: Answer,
}

/// What a token answers.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Answer {
    /// The PIN is about to be sent to the token.
    LoggingIn,
    /// The PIN was not looked at, because the token was not there to do it.
    NotLoggedIn,
    /// The PIN was right.
    LoggedIn,
    /// The token is open, with so many sessions.
    Opened(usize),
    /// The next signature.
    Signature(Bytes),
    /// A key.
    Key(TokenKey),
    /// What the token is and can do.
    Description(Description),
    /// The request is answered.
    Done,
    /// The request failed.
    Failed(Fault),
}

/// A private key in a token.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct TokenKey {
    /// `CKA_ID`, which may be empty.
    pub id: Bytes,
    /// `CKA_LABEL`, which may be empty.
    pub label: Bytes,
    /// Whether it is an RSA key. The other fields are empty if not.
    pub is_rsa: bool,
    /// The modulus, if the token shows it.
    pub modulus: Option<Bytes>,
    /// The public exponent, if the token shows it.
    pub exponent: Option<Bytes>,
    /// `CKA_SIGN`; `None` if the token does not say.
    pub signs: Option<bool>,
    /// `CKA_SENSITIVE`; `None` if the token does not say.
    pub is_sensitive: Option<bool>,
    /// `CKA_EXTRACTABLE`; `None` if the token does not say.
    pub is_extractable: Option<bool>,
    /// `CKA_ALWAYS_AUTHENTICATE`; `None` if the token does not say.
    pub always_authenticates: Option<bool>,
}

impl TokenKey {
    /// Where it is. A label that is too long, or no text, is left out if there is an id.
    ///
    /// # Errors
    /// When neither the id nor the label names it.
    pub fn location(&self) -> Result<Location, LocationError> {
        Location::new(&self.id.0, &self.label.0).or_else(|error| match self.id.0.as_slice() {
            [] => Err(error),
            id => Location::new(id, &[]),
        })
    }
}

/// What a token is and can do.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// The library, in its own words, with its version.
    pub library: String,
    /// The token's label.
    pub label: String,
    /// The token's serial number.
    pub serial: String,
    /// The token's maker and model, in its own words.
    pub model: String,
    /// How many sessions were opened.
    pub sessions: usize,
    /// How many sessions the token allows; `None` if it does not say, or has no limit.
    pub sessions_at_most: Option<u64>,
    /// The mechanisms that we use, each with whether the token has it.
    pub mechanisms: Vec<(String, bool)>,
    /// Warnings about the PIN, in words.
    pub warnings: Vec<String>,
}

/// Why a request failed, and who is to blame.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Who is to blame.
    pub blame: Blame,
    /// What happened, and what to do.
    pub reason: String,
}

/// Who is to blame for a fault.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Blame {
    /// The token, its module or its process: no key can be used until it is opened anew.
    Custodian,
    /// The key.
    Key,
    /// The PIN, which must not be tried again.
    Pin,
}

impl Fault {
    /// A fault of the token, its module or its process.
    pub fn custodian(reason: impl Into<String>) -> Self {
        Self { blame: Blame::Custodian, reason: reason.into() }
    }

    /// A fault of the key.
    pub fn key(reason: impl Into<String>) -> Self {
        Self { blame: Blame::Key, reason: reason.into() }
    }

    /// A fault of the PIN.
    pub fn pin(reason: impl Into<String>) -> Self {
        Self { blame: Blame::Pin, reason: reason.into() }
    }
}

/// Bytes, which are base64 in JSON.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq, Hash)]
#[serde(try_from = "String", into = "String")]
pub struct Bytes(pub Vec<u8>);

impl TryFrom<String> for Bytes {
    type Error = data_encoding::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        BASE64.decode(text.as_bytes()).map(Self)
    }
}

impl From<Bytes> for String {
    fn from(Bytes(bytes): Bytes) -> Self {
        BASE64.encode(&bytes)
    }
}

/// A value in the form in which it is shown.
mod by_text {
    use std::{fmt::Display, str::FromStr};

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Writes a message as a line.
///
/// # Errors
/// When the other end is closed.
pub fn write_line(mut to: impl io::Write, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line)
}

/// Reads a message; `None` at the end of the input.
///
/// # Errors
/// When the input cannot be read, or the next line is too long or not a message.
pub fn read_line<T: for<'de> Deserialize<'de>>(from: &mut impl BufRead) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    from.take(LONGEST_LINE as u64).read_until(b'\n', &mut line)?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(serde_json::from_slice(&line)?)),
        Some(_) => Err(io::Error::other("a line has no end, or is too long")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_as_they_went_in() {
        let key =
            KeyAddress { location: "id=%01;object=a%0Ab".parse().unwrap(), modulus: Bytes(vec![0xff; 512]) };
        let digests = vec![Bytes(vec![7; 64]); DIGESTS_AT_MOST];
        let ask = Ask::Sign(ToSign { key, scheme: Scheme::Ps512, digests });
        let mut lines = Vec::new();
        write_line(&mut lines, &Request { id: 1, ask }).unwrap();
        let failed = Answer::Failed(Fault::key("a\nb"));
        write_line(&mut lines, &Reply { id: u64::MAX, answer: failed.clone() }).unwrap();
        assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 2);
        let mut lines = lines.as_slice();
        let request: Request = read_line(&mut lines).unwrap().unwrap();
        assert_eq!(request.id, 1);
        let Ask::Sign(ToSign { key, scheme, digests }) = request.ask else { panic!("{request:?}") };
        assert_eq!((key.location.label(), key.modulus.0.len()), (Some("a\nb"), 512));
        assert_eq!((scheme, digests.len(), digests[0].0.as_slice()), (Scheme::Ps512, 64, &[7; 64][..]));
        let reply: Reply = read_line(&mut lines).unwrap().unwrap();
        assert_eq!((reply.id, reply.answer), (u64::MAX, failed));
        assert!(read_line::<Reply>(&mut lines).unwrap().is_none());
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        let long = vec![b' '; LONGEST_LINE + 1];
        for line in [
            &b"\n"[..],
            b"{}\n",
            b"{\"id\":1,\"answer\":\"done\"}",
            b"{\"id\":1,\"answer\":\"done\",\"more\":1}\n",
            b"{\"id\":-1,\"answer\":\"done\"}\n",
            b"{\"id\":1,\"answer\":{\"signature\":\"*\"}}\n",
            b"printed by a library\n",
            &long,
        ] {
            assert!(read_line::<Reply>(&mut { line }).is_err(), "{:?}", String::from_utf8_lossy(line));
        }
        let with = |location: &str| format!("{{\"location\":\"{location}\",\"modulus\":\"\"}}");
        assert!(serde_json::from_str::<KeyAddress>(&with("object=a")).is_ok());
        assert!(serde_json::from_str::<KeyAddress>(&with("object=a;pin-value=1")).is_err());
    }
}
