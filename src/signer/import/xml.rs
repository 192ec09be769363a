//! `RSAKeyValue`, the XML in which .NET writes keys (`RSA.ToXmlString`).

use data_encoding::BASE64;
use num_bigint_dig::BigUint;
use zeroize::Zeroizing;

use crate::signer::{PrivateKey, SignerError, numbers::Components};

/// Reads such a key; `None` if the text is something else.
pub(super) fn read(text: &[u8]) -> Option<Result<PrivateKey, SignerError>> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.starts_with('<'))?;
    text.contains("<Modulus>").then(|| private_key(text))
}

fn private_key(text: &str) -> Result<PrivateKey, SignerError> {
    if element(text, "D").is_none() {
        return Err(SignerError::OnlyPublic("public key"));
    }
    let number = |name| number(element(text, name).unwrap_or_default());
    let numbers = Components {
        n: number("Modulus")?,
        e: number("Exponent")?,
        d: number("D")?,
        p: number("P")?,
        q: number("Q")?,
        dp: number("DP")?,
        dq: number("DQ")?,
        qinv: number("InverseQ")?,
    };
    PrivateKey::from_numbers(&numbers)
}

/// The content of an element without attributes.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, begun) = text.split_once(&format!("<{name}>"))?;
    Some(begun.split_once(&format!("</{name}>"))?.0)
}

fn number(text: &str) -> Result<BigUint, SignerError> {
    let mut packed = Zeroizing::new(Vec::with_capacity(text.len()));
    packed.extend(text.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    let bytes = BASE64.decode(&packed).map(Zeroizing::new);
    let bytes = bytes.map_err(|_| SignerError::NotPrivateKey("a number of its XML is not base64"))?;
    Ok(BigUint::from_bytes_be(&bytes))
}
