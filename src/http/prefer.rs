//! The header Prefer (RFC 7240), of which the API honours `wait`.

use std::{borrow::Cow, time::Duration};

/// A header that does not follow RFC 7240, section 2, or whose `wait` is no number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// How long the client wishes to wait, according to all Prefer headers of a request. Unknown preferences are
/// ignored, and of several `wait` the first counts, as the RFC demands.
///
/// # Errors
/// [`Malformed`].
pub fn wait<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<Duration>, Malformed> {
    let mut wait = None;
    for header in headers {
        let mut rest = Rest(header);
        while let Some(preference) = rest.preference()? {
            if wait.is_none() && preference.name.eq_ignore_ascii_case(b"wait") {
                wait = Some(seconds(&preference.value)?);
            }
        }
    }
    Ok(wait)
}

/// `delta-seconds` of RFC 9111, section 1.2.2: a number that is too large stands for a very large one.
fn seconds(value: &[u8]) -> Result<Duration, Malformed> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Malformed);
    }
    let digits = std::str::from_utf8(value).map_err(|_| Malformed)?;
    Ok(Duration::from_secs(digits.parse().unwrap_or(u64::MAX)))
}

struct Preference<'a> {
    name: &'a [u8],
    /// An empty value is the same as none.
    value: Cow<'a, [u8]>,
}

/// What is left of a header.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// The next element of the list; `None` at its end. Empty elements are skipped (RFC 9110, section 5.6.1.2).
    fn preference(&mut self) -> Result<Option<Preference<'a>>, Malformed> {
        while self.take_blanks().take(b',') {}
        if self.0.is_empty() {
            return Ok(None);
        }
        let (name, value) = self.parameter()?;
        while self.take_blanks().take(b';') {
            self.take_blanks();
            if self.0.first().is_some_and(|byte| is_token(*byte)) {
                self.parameter()?;
            }
        }
        if self.0.is_empty() || self.take(b',') {
            Ok(Some(Preference { name, value }))
        } else {
            Err(Malformed)
        }
    }

    /// `token [ BWS "=" BWS word ]`
    fn parameter(&mut self) -> Result<(&'a [u8], Cow<'a, [u8]>), Malformed> {
        let name = self.token()?;
        if !self.take_blanks().take(b'=') {
            return Ok((name, Cow::default()));
        }
        let is_quoted = self.take_blanks().take(b'"');
        let value = if is_quoted { self.quoted()? } else { Cow::Borrowed(self.token()?) };
        Ok((name, value))
    }

    fn token(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.0.iter().take_while(|byte| is_token(**byte)).count();
        let (token, rest) = self.0.split_at(length);
        self.0 = rest;
        if token.is_empty() { Err(Malformed) } else { Ok(token) }
    }

    /// The rest of a quoted string (RFC 9110, section 5.6.4), without its quotes and backslashes.
    fn quoted(&mut self) -> Result<Cow<'a, [u8]>, Malformed> {
        let mut text = Vec::new();
        loop {
            let (byte, rest) = self.0.split_first().ok_or(Malformed)?;
            self.0 = rest;
            match byte {
                b'"' => return Ok(Cow::Owned(text)),
                b'\\' => {
                    let (escaped, rest) = self.0.split_first().ok_or(Malformed)?;
                    self.0 = rest;
                    text.push(is_text(*escaped).then_some(*escaped).ok_or(Malformed)?);
                }
                byte => text.push(is_text(*byte).then_some(*byte).ok_or(Malformed)?),
            }
        }
    }

    fn take_blanks(&mut self) -> &mut Self {
        let length = self.0.iter().take_while(|byte| b" \t".contains(byte)).count();
        self.0 = &self.0[length..];
        self
    }

    fn take(&mut self, byte: u8) -> bool {
        let rest = self.0.strip_prefix(&[byte]);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || byte >= b' ' && byte != 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(header: &str) -> Result<Option<u64>, Malformed> {
        wait([header.as_bytes()]).map(|wait| wait.map(|wait| wait.as_secs()))
    }

    #[test]
    fn wait_is_found_among_other_preferences() {
        for (header, expected) in [
            ("", None),
            (" , ,", None),
            ("respond-async", None),
            ("wait=10", Some(10)),
            ("WAIT = 10", Some(10)),
            ("wait=\"1\\0\"", Some(10)),
            ("respond-async, wait=10", Some(10)),
            ("return=minimal; foo=\"some, \\\"wait=9\\\"\";;bar ; , wait=0;x=y", Some(0)),
            ("foo=\"\", wait=3, wait=4", Some(3)),
            ("wait=99999999999999999999999", Some(u64::MAX)),
        ] {
            assert_eq!(parsed(header), Ok(expected), "{header}");
        }
        assert_eq!(wait([&b"a"[..], b"wait=1", b"wait=2"]), Ok(Some(Duration::from_secs(1))));
    }

    #[test]
    fn what_breaks_the_grammar_is_refused() {
        for header in [
            "wait",
            "wait=",
            "wait=\"\"",
            "wait=1.5",
            "wait=-1",
            "wait=ten",
            "wait=1 0",
            "=10",
            "foo bar",
            "foo=\"open",
            "foo=\"open\\",
            "foo=\"\u{7f}\"",
            "foo=ü",
            "foo; =1",
            "wait=1 / 2",
        ] {
            assert_eq!(parsed(header), Err(Malformed), "{header}");
        }
    }
}
