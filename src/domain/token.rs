//! Tokens of the API, as far as they are no secret: their names, their states, and the hashes of their secrets.

use std::{fmt, str::FromStr};

/// The public id of a token: 10 characters `a` to `z` and `2` to `7`. It is part of the token, and names it in lists and
/// in the audit log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId([u8; TokenId::LEN]);

impl TokenId {
    /// How many characters an id has.
    pub const LEN: usize = 10;

    /// The characters of base32 (RFC 4648, section 6), in lower case.
    pub const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

    /// The id that is made of the low five bits of each byte.
    pub fn from_random(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes.map(|byte| Self::ALPHABET[usize::from(byte & 31)]))
    }

    /// Its characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("its characters are ASCII")
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenId({self})")
    }
}

impl FromStr for TokenId {
    type Err = TokenIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes: [u8; Self::LEN] = text.as_bytes().try_into().map_err(|_| TokenIdError)?;
        if bytes.iter().all(|byte| Self::ALPHABET.contains(byte)) {
            Ok(Self(bytes))
        } else {
            Err(TokenIdError)
        }
    }
}

/// Text that is no id of a token. The text is not repeated, because it may be a whole token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the id of a token is 10 characters, a to z and 2 to 7: 'signwave tokens list' shows the ids")]
pub struct TokenIdError;

/// What people call a token: 1 to 100 characters, none of them a control character, none of them a space at an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenName(String);

impl TokenName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TokenName {
    type Err = TokenNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_name = (1..=100).contains(&text.chars().count()) && text.trim() == text;
        if is_name && !text.contains(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err(TokenNameError)
        }
    }
}

/// Text that is no name of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a token has 1 to 100 characters, without control characters or spaces at its ends")]
pub struct TokenNameError;

/// SHA-256 of a token's secret, the only form in which the secret is stored. A secret has 256 random bits, so that its
/// hash reveals nothing of it. There is no `==`, because secrets are compared in constant time.
#[derive(Clone, Copy)]
pub struct SecretHash(pub [u8; 32]);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

/// What a session of the dashboard was made with. A session is a token that a browser has in a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionParent {
    /// A token, with which the session ends.
    Token(TokenId),
    /// The link that `serve` printed on a terminal.
    Terminal,
}

impl SessionParent {
    const TERMINAL: &str = "terminal";
}

impl fmt::Display for SessionParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(id) => id.fmt(f),
            Self::Terminal => f.pad(Self::TERMINAL),
        }
    }
}

impl FromStr for SessionParent {
    type Err = TokenIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == Self::TERMINAL { Ok(Self::Terminal) } else { text.parse().map(Self::Token) }
    }
}

/// Whether a token can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// It can be used.
    Active,
    /// Its time is over. A rotation gives it more.
    Expired,
    /// It was revoked, which is final.
    Revoked,
}

impl TokenState {
    /// The name, as it is shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_ten_characters_of_base32() {
        let id = TokenId::from_random(std::array::from_fn(|i| (i as u8).wrapping_mul(29)));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.as_str().bytes().all(|byte| TokenId::ALPHABET.contains(&byte)));
        for text in ["", "abcdefghi", "abcdefghijk", "ABCDEFGHIJ", "abcdefghi1", "abcdefghé"] {
            assert_eq!(text.parse::<TokenId>(), Err(TokenIdError), "{text}");
        }
    }

    #[test]
    fn a_name_is_one_line_that_people_can_read() {
        for name in ["ci", "Ada's laptop", "é", &"x".repeat(100)] {
            assert_eq!(name.parse::<TokenName>().unwrap().as_str(), name);
        }
        for name in ["", " ", " ci", "ci ", "two\nlines", "\u{1b}[2J", &"x".repeat(101)] {
            assert_eq!(name.parse::<TokenName>(), Err(TokenNameError), "{name:?}");
        }
    }

    #[test]
    fn a_session_is_of_a_token_or_of_a_terminal() {
        for parent in [SessionParent::Terminal, SessionParent::Token("abcdefghij".parse().unwrap())] {
            assert_eq!(parent.to_string().parse(), Ok(parent));
        }
        assert!("".parse::<SessionParent>().is_err() && "Terminal".parse::<SessionParent>().is_err());
    }

    #[test]
    fn the_hash_of_a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", SecretHash([7; 32])), "SecretHash(..)");
    }
}
