//! What clients of the API send to prove who they are.

use signwave::{
    access::{MalformedToken, Token},
    signer::{SignerError, certificate_key, certificate_key_of_der},
};

/// Tokens: as they come, and with a check that fits, because chance makes none. There is one text for each.
pub fn token(bytes: &[u8]) {
    let Some(text) = super::text(bytes) else { return };
    let given = read(text);
    let Some(checked) = text.get(..Token::LEN - 7).filter(|checked| checked.is_ascii()) else {
        assert!(given.is_err());
        return;
    };
    let fitting = format!("{checked}{}", check(checked));
    let read = read(&fitting);
    assert_ne!(read.as_ref().err(), Some(&MalformedToken::Check), "{checked}");
    assert_eq!(given.is_ok(), read.is_ok() && text == fitting, "{text}");
}

fn read(text: &str) -> Result<Token, MalformedToken> {
    let read = Token::parse(text);
    match &read {
        Ok(token) => {
            assert_eq!(token.text().as_str(), text);
            assert_eq!(format!("{token:?}"), format!("Token({})", token.id()));
        }
        Err(error) => super::readable(&error.to_string()),
    }
    read
}

/// CRC-32 (ISO 3309) bit by bit, as 7 characters of base32, the last of which has two bits.
fn check(text: &str) -> String {
    let crc = !text.bytes().fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 },
        )
    });
    let bits = u64::from(crc) << 3;
    let alphabet: Vec<char> = ('a'..='z').chain('2'..='7').collect();
    (0..7).rev().map(|place| alphabet[(bits >> (5 * place)) as usize & 31]).collect()
}

/// Certificates: a client's first message may have anything in its place.
pub fn certificate(bytes: &[u8]) {
    let (any, der) = (certificate_key(bytes), certificate_key_of_der(bytes));
    for error in [any.as_ref().err(), der.as_ref().err()].into_iter().flatten() {
        assert!(matches!(error, SignerError::MalformedCertificate(_)), "{error}");
        super::readable(&error.to_string());
    }
    if let Ok(key) = der {
        // What may come before it in DER cannot look like PEM.
        assert!(any == Ok(key) || bytes.windows(11).any(|window| window == b"-----BEGIN "));
    }
}
