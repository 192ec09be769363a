//! The address of a broker: its parts, and what is wrong with it.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// An address that cannot be used. The text goes on behind `the address of ..`, and repeats nothing of the address, which
/// may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// The scheme is that of no broker.
    #[error("names no known broker: use amqp://, amqps://, nats://, tls:// or kafka://")]
    UnknownBroker,
    /// This binary has no Kafka.
    #[error(
        "is Kafka's, and this program was built without it: build it with 'cargo build --release --features kafka'"
    )]
    KafkaNotBuilt,
    /// Kafka is reached without TLS and without a login only.
    #[error(
        "wants TLS or a login, and Kafka is reached without them only: use kafka://HOST:PORT with a listener of the protocol PLAINTEXT, in a network that you trust"
    )]
    PlainOnly,
    /// The part before the `?` is not right.
    #[error(
        "cannot be read: it begins with SCHEME://USER:PASSWORD@HOST:PORT, and has %XX for special characters"
    )]
    Unreadable,
    /// It does not say what is meant at the broker.
    #[error("names no {0}")]
    Missing(&'static str),
    /// An option is unknown, or given twice.
    #[error("has an unknown option, or one twice: use {0}")]
    UnknownOption(&'static str),
    /// An option has a wrong value.
    #[error("has a wrong option '{0}', which must be {1}")]
    Value(&'static str, &'static str),
}

/// The options of an address, behind its `?`.
pub struct Query {
    options: BTreeMap<String, String>,
    known: &'static str,
}

impl Query {
    /// Reads `NAME=VALUE&..`. `known` has the names of all options, for the error about an unknown one.
    ///
    /// # Errors
    /// [`BadAddress::UnknownOption`] when an option is there twice, or has no value.
    pub fn parse(text: &str, known: &'static str) -> Result<Self, BadAddress> {
        let mut options = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or(BadAddress::UnknownOption(known))?;
            if options.insert(name.to_owned(), decoded(value)?).is_some() {
                return Err(BadAddress::UnknownOption(known));
            }
        }
        Ok(Self { options, known })
    }

    /// Takes the value of an option out.
    pub fn take(&mut self, name: &str) -> Option<String> {
        self.options.remove(name)
    }

    /// Nothing must be left, because a mistyped option would otherwise be ignored.
    ///
    /// # Errors
    /// [`BadAddress::UnknownOption`] when something is left.
    pub fn end(self) -> Result<(), BadAddress> {
        if self.options.is_empty() { Ok(()) } else { Err(BadAddress::UnknownOption(self.known)) }
    }
}

/// Decodes `%XX`.
///
/// # Errors
/// [`BadAddress::Unreadable`] when that is not UTF-8, or has a NUL.
pub fn decoded(text: &str) -> Result<String, BadAddress> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| BadAddress::Unreadable)?;
    if decoded.contains('\0') { Err(BadAddress::Unreadable) } else { Ok(decoded.into_owned()) }
}

/// Reads `HOST:PORT`: the host, without the brackets of an IPv6 address, and the port if there is one.
///
/// # Errors
/// [`BadAddress::Unreadable`] when there is no host, or the port is no number.
pub fn host_and_port(text: &str) -> Result<(String, Option<u16>), BadAddress> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or(BadAddress::Unreadable)?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    if host.is_empty() || !host.chars().all(is_host) {
        return Err(BadAddress::Unreadable);
    }
    let port = match port.strip_prefix(':') {
        Some(port) => Some(port.parse().map_err(|_| BadAddress::Unreadable)?),
        None if port.is_empty() => None,
        None => return Err(BadAddress::Unreadable),
    };
    Ok((host.to_owned(), port))
}

/// `HOST:PORT` as [`host_and_port`] reads it, the same for each way to write the host.
pub fn written(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// What a URI has unescaped.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Encodes as `%XX` whatever has a meaning in an address.
pub fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}
