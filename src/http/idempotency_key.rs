//! The header Idempotency-Key (draft-ietf-httpapi-idempotency-key-header), as the name of a record.

use super::problem::{Kind, Problem};
use crate::domain::TokenId;

/// How names that come from keys begin. No client may choose such a name by itself.
const PREFIX: &str = "idempotency:";

/// The longest key, in bytes.
const LONGEST: usize = 255;

/// A header that is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Refuses a name that only keys may lead to: otherwise a client could take the names of another client's records.
///
/// # Errors
/// [`Kind::InvalidRequest`].
pub fn check_unreserved(name: &str) -> Result<(), Problem> {
    if is_reserved(name) { Err(Problem::because(Kind::InvalidRequest, RESERVED)) } else { Ok(()) }
}

/// Whether only a key can lead to this name.
pub fn is_reserved(name: &str) -> bool {
    name.starts_with(PREFIX)
}

const RESERVED: &str =
    "An external_id that begins with 'idempotency:' is reserved for records with an Idempotency-Key.";

/// The name of the record with the key in `header`, which counts for one token only.
///
/// # Errors
/// When the header is not a String of RFC 8941, section 3.3.3, of 1 to 255 characters.
pub fn name(token: &TokenId, header: &[u8]) -> Result<String, Malformed> {
    let inner = header.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).ok_or(Malformed)?;
    let (mut key, mut bytes) = (String::new(), inner.iter());
    while let Some(byte) = bytes.next() {
        key.push(char::from(match byte {
            b'\\' => *bytes.next().filter(|escaped| b"\"\\".contains(escaped)).ok_or(Malformed)?,
            b'"' => return Err(Malformed),
            b' '..=b'~' => *byte,
            _ => return Err(Malformed),
        }));
    }
    if (1..=LONGEST).contains(&key.len()) { Ok(format!("{PREFIX}{token}:{key}")) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(header: &str) -> Result<String, Malformed> {
        name(&"abcdefghij".parse().unwrap(), header.as_bytes())
    }

    #[test]
    fn a_key_is_a_string_of_a_structured_field() {
        for (header, key) in [
            ("\"a\"", "a"),
            ("\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
            ("\"a b:c\\\\\\\"\"", "a b:c\\\""),
            (&format!("\"{}\"", "k".repeat(LONGEST)), &"k".repeat(LONGEST)),
        ] {
            assert_eq!(named(header), Ok(format!("idempotency:abcdefghij:{key}")), "{header}");
        }
        for header in [
            "",
            "a",
            "\"",
            "\"\"",
            "\"a",
            "a\"",
            "\"a\"b\"",
            "\"a\\\"",
            "\"a\\b\"",
            "\"a\";p=1",
            "\"ä\"",
            "\"a\tb\"",
            &format!("\"{}\"", "k".repeat(LONGEST + 1)),
        ] {
            assert_eq!(named(header), Err(Malformed), "{header}");
        }
    }

    #[test]
    fn no_client_may_choose_the_name_that_a_key_leads_to() {
        let name = named("\"a\"").unwrap();
        assert_eq!(check_unreserved(&name).unwrap_err().kind, Kind::InvalidRequest);
        assert!(check_unreserved("idempotency").is_ok() && check_unreserved("x-idempotency:a").is_ok());
    }
}
