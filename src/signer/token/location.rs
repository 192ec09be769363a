//! Which key of a token is meant: the column `location`, as attributes of RFC 7512.

use std::{fmt, str::FromStr};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The key of a token, by its id (`CKA_ID`), its label (`CKA_LABEL`), or both. The text is the path of a PKCS#11 URI
/// (RFC 7512, section 2.3) without the attributes of the token, such as `id=%01%02;object=batch-7`: the settings name
/// the token, its module and its PIN, so that no row of the database can choose them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    id: Option<Vec<u8>>,
    label: Option<String>,
}

/// A text that names no key of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the location is not of the form 'id=%01%02;object=LABEL': {0}")]
pub struct LocationError(&'static str);

impl Location {
    /// The longest id, and the longest label, in bytes.
    pub const LONGEST: usize = 255;

    /// The key with this id and this label. An empty one counts as none.
    ///
    /// # Errors
    /// When both are empty, one is too long, or the label is not UTF-8 text.
    pub fn new(id: &[u8], label: &[u8]) -> Result<Self, LocationError> {
        if id.len().max(label.len()) > Self::LONGEST {
            return Err(LocationError("an id or a label has at most 255 bytes"));
        }
        let label = str::from_utf8(label).map_err(|_| LocationError("the label is not UTF-8 text"))?;
        let id = (!id.is_empty()).then(|| id.to_vec());
        let label = (!label.is_empty()).then(|| label.to_owned());
        if id.is_none() && label.is_none() {
            return Err(LocationError("it names neither an id nor a label"));
        }
        Ok(Self { id, label })
    }

    /// `CKA_ID`.
    pub fn id(&self) -> Option<&[u8]> {
        self.id.as_deref()
    }

    /// `CKA_LABEL`.
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        let (mut id, mut label) = (None, None);
        for attribute in text.split(';') {
            let (name, value) = attribute.split_once('=').ok_or(LocationError("an attribute has no '='"))?;
            let place = match name {
                "id" => &mut id,
                "object" => &mut label,
                _ => return Err(LocationError("it has an attribute other than 'id' and 'object'")),
            };
            if place.replace(decoded(value)?).is_some() {
                return Err(LocationError("it has an attribute twice"));
            }
        }
        let given = |value: &Option<Vec<u8>>| value.as_ref().is_none_or(|value| !value.is_empty());
        if !given(&id) || !given(&label) {
            return Err(LocationError("an attribute is empty"));
        }
        Self::new(&id.unwrap_or_default(), &label.unwrap_or_default())
    }
}

/// The bytes of a value. The library takes a lone `%` as it is, so the form is checked first.
fn decoded(value: &str) -> Result<Vec<u8>, LocationError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:[]@!$'()*+,=&%".contains(c);
    if !value.chars().all(allowed) {
        return Err(LocationError("a character must be percent-encoded"));
    }
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let mut escapes = value.split('%').skip(1).map(str::as_bytes);
    if !escapes.all(|after| is_hex(after.first()) && is_hex(after.get(1))) {
        return Err(LocationError("'%' is not followed by two hexadecimal digits"));
    }
    Ok(percent_decode_str(value).collect())
}

/// What RFC 3986 leaves as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Every byte of the id is encoded, as RFC 7512 advises.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(id) = &self.id {
            f.write_str("id=")?;
            id.iter().try_for_each(|byte| write!(f, "%{byte:02X}"))?;
        }
        if let Some(label) = &self.label {
            let separator = if self.id.is_some() { ";" } else { "" };
            write!(f, "{separator}object={}", utf8_percent_encode(label, RESERVED))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_read_and_written() {
        for (text, id, label) in [
            ("id=%01%02;object=batch-7", Some(&b"\x01\x02"[..]), Some("batch-7")),
            ("id=%FF", Some(b"\xff"), None),
            ("object=a%20%3B%C3%A9%25", None, Some("a ;é%")),
        ] {
            let location: Location = text.parse().unwrap();
            assert_eq!((location.id(), location.label()), (id, label));
            assert_eq!(location.to_string(), text);
        }
        let other: Location = "object=batch-7;id=A%02".parse().unwrap();
        assert_eq!(other.to_string(), "id=%41%02;object=batch-7", "in one order, in one form");
    }

    #[test]
    fn what_is_none_is_refused() {
        let long = format!("object={}", "x".repeat(256));
        for text in [
            "",
            "id",
            "id=",
            "object=",
            "id=%01;object=",
            "id=%01;id=%02",
            "id=%0",
            "id=%",
            "id=%+1",
            "id=%GG",
            "object=a b",
            "object=é",
            "object=%FF",
            "object=a;",
            ";object=a",
            "object=a?pin-value=1234",
            "pkcs11:object=a",
            "object=a;token=b",
            "object=a;pin-value=1234",
            "object=a;module-path=%2Fevil.so",
            "ID=%01",
            &long,
        ] {
            assert!(text.parse::<Location>().is_err(), "{text}");
        }
    }
}
