//! `Debug` and errors of everything that holds a secret.

use std::{fs, path::Path};

use data_encoding::BASE64;
use signwave::{
    access::Token,
    cli,
    domain::{KeyId, KeyLimits, KeyMaterial, StoredKey},
    signer::{Engine, Keyring, MasterKey, import, seal},
    store::{Credential, DatabaseUrl, NewKey, NewToken, Rotation},
};

use crate::{search::Secrets, watched::files};

const KEY: &str = include_str!("../fixtures/signer/other2048.pem");
const PASSWORD: &str = "Xw6vHn3c-Lq9d_KrS2mY";

#[test]
fn debug_shows_no_secret() {
    let bytes: [u8; 32] = std::array::from_fn(|i| (i as u8).wrapping_mul(47).wrapping_add(11));
    let base64 = BASE64.encode(&bytes);
    let secrets =
        Secrets::default().text("password", PASSWORD).text("master", &base64).bytes("master", &bytes);
    let secrets = secrets.key("key", KEY);
    let master = || MasterKey::from_base64(&base64).unwrap();
    let key = import(KEY.as_bytes(), None).unwrap();
    let sealed = seal(&master(), &key).unwrap();
    let secrets = secrets.bytes("sealed key", &sealed[21..]);
    let material = KeyMaterial::Sealed(sealed);
    let (fingerprint, public_key) = (key.public_key().fingerprint(), key.public_key().spki().to_vec());
    let limits = KeyLimits::default();
    let new = NewKey {
        fingerprint,
        public_key: public_key.clone(),
        bits: 2048,
        material: material.clone(),
        limits,
    };
    let stored = StoredKey { id: KeyId(1), fingerprint, public_key, material };
    let url = format!("postgres://user:{PASSWORD}@host/name");
    let token = Token::issue();
    let secrets = secrets.text("token", &token.text()[15..67]).bytes("hash of the token", &token.hash().0);
    let new_token = NewToken {
        id: token.id(),
        name: "ci".parse().unwrap(),
        scopes: "read".parse().unwrap(),
        credential: Credential::Secret(token.hash()),
        expires_in: None,
    };
    let rotation = Rotation { secret: token.hash(), overlap: None, expires_in: None };
    let said = [
        format!("{token:?} {token:#?} {new_token:?} {new_token:#?} {rotation:?}"),
        format!("{:?}", cli::parse(["signwave", "tokens", "revoke", token.text().as_str()])),
        format!("{:?}", cli::parse(["signwave", "tokens", token.text().as_str()])),
        format!("{:?}", Token::parse(&token.text()[1..])),
        format!("{:?} {:#?}", master(), master()),
        format!("{key:?} {key:#?}"),
        format!("{:?}", Keyring::new(Engine::AwsLc, master())),
        format!("{:?}", DatabaseUrl::parse(&url)),
        format!("{:?}", cli::parse(["signwave", "status", "--database", &url])),
        format!("{:?}", cli::Options::parse(&format!("database = '{url}'"), Path::new("f"))),
        format!("{new:?} {new:#?} {stored:?} {stored:#?}"),
        format!("{:?}", import(KEY.as_bytes().split_at(1500).0, None)),
        format!("{:?}", import(KEY.replace('A', "B").as_bytes(), Some(PASSWORD.as_bytes()))),
        format!("{:?}", MasterKey::from_base64(&format!("{base64}!"))),
    ];
    for said in said {
        assert_eq!(secrets.find(said.as_bytes()), None);
        assert!(said.len() > 4);
    }
}

/// What holds secrets in memory, by the names of their types.
const SECRET: [&str; 4] = ["Zeroizing<", "BigUint", "RsaPrivateKey", "KeyPair"];

#[test]
fn no_type_with_a_secret_in_it_derives_debug() {
    let mut found = 0;
    for file in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = fs::read_to_string(&file).unwrap();
        for (at, _) in text.match_indices("struct ").chain(text.match_indices("enum ")) {
            // From the end of the item before to the end of this one.
            let before = text[..at].rfind("\n\n").unwrap_or(0);
            let end = text[at..].find(['}', ';']).map_or(text.len(), |end| at + end);
            let fields = text[at..end].split_once(['{', '(']).map_or("", |(_, fields)| fields);
            if SECRET.iter().any(|secret| fields.contains(secret)) {
                found += 1;
                let code = text[before..at].lines().filter(|line| !line.starts_with("//"));
                assert!(
                    !code.collect::<String>().contains("Debug"),
                    "{}: {}",
                    file.display(),
                    &text[at..end]
                );
            }
        }
    }
    assert!(found >= 5, "the types that hold secrets: {found}");
}
