//! JSON Web Keys (RFC 7517; RFC 7518, section 6.3).

use data_encoding::BASE64URL_NOPAD;
use num_bigint_dig::BigUint;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::signer::{KeyFlaw, PrivateKey, SignerError, numbers::Components};

/// A JSON Web Key. Its fields are borrowed, so that no copies of the secret numbers are left behind.
#[derive(Deserialize)]
struct Jwk<'a> {
    kty: &'a str,
    alg: Option<&'a str>,
    #[serde(rename = "use")]
    usage: Option<&'a str>,
    #[serde(borrow)]
    key_ops: Option<Vec<&'a str>>,
    n: Option<&'a str>,
    e: Option<&'a str>,
    d: Option<&'a str>,
    p: Option<&'a str>,
    q: Option<&'a str>,
    dp: Option<&'a str>,
    dq: Option<&'a str>,
    qi: Option<&'a str>,
    oth: Option<serde::de::IgnoredAny>,
}

/// A set of keys. Only their number is used.
#[derive(Deserialize)]
struct Set {
    keys: Vec<serde::de::IgnoredAny>,
}

/// Reads a JSON Web Key; `None` if it is something else.
pub(super) fn read(text: &[u8]) -> Option<Result<PrivateKey, SignerError>> {
    if !text.starts_with(b"{") {
        return None;
    }
    if let Ok(jwk) = serde_json::from_slice::<Jwk<'_>>(text) {
        return Some(private_key(&jwk));
    }
    let Set { keys } = serde_json::from_slice(text).ok()?;
    let form = "a set of JSON Web Keys";
    Some(Err(match keys.len() {
        0 | 1 => SignerError::Foreign { form, convert: "jq '.keys[0]' FILE > converted.jwk" },
        count => SignerError::SeveralKeys { count, split: Some("jq '.keys[0]' FILE > first.jwk") },
    }))
}

fn private_key(jwk: &Jwk<'_>) -> Result<PrivateKey, SignerError> {
    match jwk.kty {
        "RSA" => {}
        "EC" => return Err(SignerError::NotRsa("EC")),
        "OKP" => return Err(SignerError::NotRsa("an Edwards or Montgomery curve")),
        "oct" => return Err(SignerError::NotRsa("a symmetric key")),
        _ => return Err(SignerError::NotRsa("not RSA")),
    }
    if jwk.d.is_none() {
        return Err(SignerError::OnlyPublic("public key"));
    }
    let may_sign = jwk.key_ops.as_ref().is_none_or(|operations| operations.contains(&"sign"));
    // RSA1_5 and RSA-OAEP encrypt; the algorithms that sign are RS256, PS256 and the like.
    let encrypts = jwk.alg.is_some_and(|algorithm| algorithm.starts_with("RSA"));
    if !may_sign || encrypts || jwk.usage.is_some_and(|usage| usage != "sig") {
        return Err(SignerError::NotPrivateKey(
            "its 'use', 'key_ops' or 'alg' say that it is not for signing",
        ));
    }
    if jwk.alg.is_some() {
        return Err(SignerError::Foreign {
            form: "a JSON Web Key whose 'alg' allows one scheme only, a restriction that an import would lose",
            convert: "jq 'del(.alg)' FILE > converted.jwk",
        });
    }
    if jwk.oth.is_some() {
        return Err(KeyFlaw::MultiPrime.into());
    }
    let number = |text: Option<&str>| number(text.unwrap_or_default());
    let numbers = Components {
        n: number(jwk.n)?,
        e: number(jwk.e)?,
        d: number(jwk.d)?,
        p: number(jwk.p)?,
        q: number(jwk.q)?,
        dp: number(jwk.dp)?,
        dq: number(jwk.dq)?,
        qinv: number(jwk.qi)?,
    };
    PrivateKey::from_numbers(&numbers)
}

fn number(text: &str) -> Result<BigUint, SignerError> {
    // The standard forbids padding, but some programs write it.
    let bytes = BASE64URL_NOPAD.decode(text.trim_end_matches('=').as_bytes()).map(Zeroizing::new);
    let bytes =
        bytes.map_err(|_| SignerError::NotPrivateKey("a number of its JSON Web Key is not base64url"))?;
    Ok(BigUint::from_bytes_be(&bytes))
}
