//! A token and its text: `swt_ID_SECRETCHECK`.
//!
//! The id has 10 characters, the secret 52 (256 bits in base32, RFC 4648, in lower case), the check 7: the CRC-32 of all
//! characters before it. So a mistyped token is noticed without a look into the database, and a program that searches
//! files for secrets recognises one.

use std::{fmt, sync::LazyLock};

use data_encoding::{Encoding, Specification};
use zeroize::Zeroizing;

use crate::{
    domain::{DigestAlgorithm, SecretHash, TokenId},
    signer::{digest, random_secret},
};

const PREFIX: &str = "swt_";
const SECRET_BYTES: usize = 32;
const SECRET_CHARS: usize = 52;
const CHECK_CHARS: usize = 7;
/// All characters before the check.
const CHECKED_CHARS: usize = PREFIX.len() + TokenId::LEN + 1 + SECRET_CHARS;

/// A token of the API. The secret is wiped when it is dropped, and never shown by `Debug`.
pub struct Token {
    id: TokenId,
    secret: Zeroizing<[u8; SECRET_BYTES]>,
}

impl Token {
    /// How many characters a token has.
    pub const LEN: usize = CHECKED_CHARS + CHECK_CHARS;

    /// A new token.
    ///
    /// # Panics
    /// If the random generator fails, because no secret can be made without it.
    pub fn issue() -> Self {
        Self::with_new_secret(new_token_id())
    }

    /// A token of that id with another secret.
    ///
    /// # Panics
    /// As [`issue`](Self::issue).
    pub fn with_new_secret(id: TokenId) -> Self {
        Self { id, secret: random_secret() }
    }

    /// Reads a token. There is only one text for each.
    ///
    /// # Errors
    /// For any other text. The error does not repeat it.
    pub fn parse(text: &str) -> Result<Self, MalformedToken> {
        let malformed = MalformedToken::Form;
        if text.len() != Self::LEN || !text.is_ascii() {
            return Err(malformed);
        }
        let (checked, check) = text.split_at(CHECKED_CHARS);
        let (id, secret) =
            checked.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')).ok_or(malformed)?;
        let id = id.parse().map_err(|_| malformed)?;
        let found = BASE32.decode(check.as_bytes()).map_err(|_| malformed)?;
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        // The length is that of a secret, because the id has the length of an id.
        match BASE32.decode_mut(secret.as_bytes(), bytes.as_mut_slice()) {
            Ok(SECRET_BYTES) => {}
            _ => return Err(malformed),
        }
        if found != crc32fast::hash(checked.as_bytes()).to_be_bytes() {
            return Err(MalformedToken::Check);
        }
        Ok(Self { id, secret: bytes })
    }

    /// The text that a client sends. It is shown once, when the token is made.
    pub fn text(&self) -> Zeroizing<String> {
        // The buffer never grows, because that would leave copies of the secret.
        let mut text = Zeroizing::new(String::with_capacity(Self::LEN));
        text.push_str(PREFIX);
        text.push_str(self.id.as_str());
        text.push('_');
        BASE32.encode_append(self.secret.as_slice(), &mut text);
        let check = crc32fast::hash(text.as_bytes());
        BASE32.encode_append(&check.to_be_bytes(), &mut text);
        text
    }

    /// The public id.
    pub fn id(&self) -> TokenId {
        self.id
    }

    /// SHA-256 of the 32 bytes of the secret, which is what the database has.
    pub fn hash(&self) -> SecretHash {
        let digest = digest(DigestAlgorithm::Sha256, self.secret.as_slice());
        SecretHash(digest.as_bytes().try_into().expect("SHA-256 has 32 bytes"))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.id)
    }
}

/// A new id, for a token that has no secret.
///
/// # Panics
/// As [`Token::issue`].
pub fn new_token_id() -> TokenId {
    TokenId::from_random(*random_secret())
}

/// Text that is not a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedToken {
    /// It does not look like one.
    #[error("this is not a token: a token begins with swt_ and has 74 characters")]
    Form,
    /// It looks like one, but its last characters do not fit the others.
    #[error("the token was mistyped or cut: its last characters do not fit the others")]
    Check,
}

/// Base32 in lower case, without padding. It refuses bits that are left over and not zero.
pub(super) static BASE32: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.extend(TokenId::ALPHABET.iter().map(|byte| char::from(*byte)));
    specification.encoding().expect("32 different characters are an encoding")
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_its_text() {
        let token = Token::issue();
        let text = token.text();
        assert_eq!(text.len(), Token::LEN);
        assert!(text.starts_with(&format!("swt_{}_", token.id())));
        let read = Token::parse(&text).unwrap();
        assert_eq!((read.id(), read.hash().0, read.text()), (token.id(), token.hash().0, text));
    }

    #[test]
    fn no_two_tokens_are_alike_and_a_rotation_keeps_the_id() {
        let (one, other) = (Token::issue(), Token::issue());
        assert!(one.id() != other.id() && one.hash().0 != other.hash().0);
        let rotated = Token::with_new_secret(one.id());
        assert!(one.id() == rotated.id() && one.hash().0 != rotated.hash().0);
    }

    #[test]
    fn the_form_never_changes() {
        let id = "abcdefghij".parse().unwrap();
        let token = Token { id, secret: Zeroizing::new(std::array::from_fn(|i| i as u8)) };
        let text = "swt_abcdefghij_aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypqyvcvkoi";
        assert_eq!(token.text().as_str(), text);
    }

    #[test]
    fn any_other_text_is_refused() {
        let text = Token::issue().text();
        // Each character in turn becomes another one of the alphabet.
        for at in 0..Token::LEN {
            let mut other = text.as_bytes().to_vec();
            other[at] = if other[at] == b'a' { b'b' } else { b'a' };
            let other = String::from_utf8(other).unwrap();
            assert!(Token::parse(&other).is_err(), "{at}");
        }
        let cases = [
            String::new(),
            "swt_".to_owned(),
            text[1..].to_owned(),
            format!("{}x", *text),
            format!("{} ", &text[..Token::LEN - 1]),
            text.to_uppercase(),
            text.replacen("swt_", "swT_", 1),
            text.replacen('_', "-", 2),
            "é".repeat(Token::LEN / 2),
        ];
        for case in &cases {
            assert_eq!(Token::parse(case).err(), Some(MalformedToken::Form), "{case}");
        }
        let mistyped = format!("{}{}", &text[..20], text[20..].chars().rev().collect::<String>());
        assert!(Token::parse(&mistyped).is_err());
    }

    #[test]
    fn debug_and_errors_show_no_secret() {
        let token = Token::issue();
        assert_eq!(format!("{token:?}"), format!("Token({})", token.id()));
        let text = token.text();
        let cut = &text[..Token::LEN - 1];
        assert!(!Token::parse(cut).unwrap_err().to_string().contains(&text[16..30]));
    }
}
