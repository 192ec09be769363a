//! Custodians: who keeps private keys outside the database, as the settings say.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::{Deserialize, Deserializer, de::Error};

use super::text::parsed_duration;
use crate::{domain::CustodianName, signer::TokenSettings};

/// A section `[custody.NAME]` of the settings file.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Custodian {
    /// A directory with one private key in each file.
    File {
        /// The directory.
        directory: PathBuf,
        /// A file whose first line is the passphrase of encrypted keys.
        passphrase_file: Option<PathBuf>,
    },
    /// A hardware token behind a PKCS#11 module.
    Pkcs11(#[serde(deserialize_with = "token")] TokenSettings),
}

/// Reads all sections. A token has one section only, because its sessions are counted in one place.
///
/// # Errors
/// When a section cannot be read, or two name one token.
pub fn sections<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<CustodianName, Custodian>, D::Error> {
    let sections = BTreeMap::<CustodianName, Custodian>::deserialize(deserializer)?;
    let mut known = Vec::<(&CustodianName, &TokenSettings)>::new();
    for (name, custodian) in &sections {
        let Custodian::Pkcs11(token) = custodian else { continue };
        if let Some((first, _)) = known.iter().find(|(_, known)| names_the_same(known, token)) {
            return Err(D::Error::custom(format!(
                "[custody.{first}] and [custody.{name}] name the same token: remove one of them"
            )));
        }
        known.push((name, token));
    }
    Ok(sections)
}

/// Whether two sections name one token, as far as the settings show it.
fn names_the_same(one: &TokenSettings, other: &TokenSettings) -> bool {
    let is_same = |one: &Option<String>, other| one.is_some() && one == other;
    (one.module == other.module && one.env == other.env)
        && (is_same(&one.label, &other.label) || is_same(&one.serial, &other.serial))
}

/// A section of kind `pkcs11`.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct TokenSection {
    module: PathBuf,
    token: Option<String>,
    serial: Option<String>,
    pin_file: PathBuf,
    #[serde(default = "sessions")]
    sessions: usize,
    #[serde(default = "timeout", deserialize_with = "parsed_duration")]
    timeout: Duration,
    #[serde(default)]
    env: BTreeMap<String, String>,
}

fn sessions() -> usize {
    4
}

fn timeout() -> Duration {
    Duration::from_secs(10)
}

/// Reads a section of kind `pkcs11`, and checks its values.
fn token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TokenSettings, D::Error> {
    let TokenSection { module, token, serial, pin_file, sessions, timeout, env } =
        TokenSection::deserialize(deserializer)?;
    let is_name = |name: &Option<String>| name.as_ref().is_none_or(|name| !name.trim().is_empty());
    let flaw = if token.is_none() && serial.is_none() {
        "name the token: its label as token, its serial number as serial, or both"
    } else if !is_name(&token) || !is_name(&serial) {
        "token and serial must not be empty"
    } else if !(1..=64).contains(&sessions) {
        "sessions must be from 1 to 64"
    } else if !(Duration::from_millis(100)..=Duration::from_secs(3600)).contains(&timeout) {
        "timeout must be from 100ms to 1h"
    } else if env.iter().any(|(name, value)| !is_variable(name) || value.contains('\0')) {
        "env has a name or a value that no variable of the environment can have"
    } else {
        // Tokens fill up their labels with blanks, which are cut off when they are compared.
        let trimmed = |name: Option<String>| name.map(|name| name.trim().to_owned());
        let (label, serial) = (trimmed(token), trimmed(serial));
        return Ok(TokenSettings { module, label, serial, pin_file, sessions, timeout, env });
    };
    Err(D::Error::custom(flaw))
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "kind = 'pkcs11'\nmodule = '/lib/p11.so'\ntoken = ' a b '\npin-file = 'pin'\n";

    #[test]
    fn a_token_has_defaults_and_its_name_is_compared_without_blanks() {
        let Custodian::Pkcs11(token) = toml::from_str(LEAST).unwrap() else { panic!("another kind") };
        assert_eq!((token.label.as_deref(), token.serial), (Some("a b"), None));
        assert_eq!((token.sessions, token.timeout, token.env.len()), (4, Duration::from_secs(10), 0));
        let more = "serial = '07'\nsessions = 1\ntimeout = '2min'\nenv = { A = 'b' }";
        let Custodian::Pkcs11(token) = toml::from_str(&format!("{LEAST}{more}")).unwrap() else {
            panic!("another kind")
        };
        assert_eq!((token.serial.as_deref(), token.sessions), (Some("07"), 1));
        assert_eq!((token.timeout.as_secs(), token.env["A"].as_str()), (120, "b"));
    }

    #[test]
    fn a_token_has_one_section() {
        #[derive(Debug, Deserialize)]
        struct File {
            #[serde(deserialize_with = "sections")]
            custody: BTreeMap<CustodianName, Custodian>,
        }
        let two = |other: &str| toml::from_str::<File>(&format!("[custody.a]\n{LEAST}[custody.b]\n{other}"));
        let error = two(LEAST).unwrap_err().to_string();
        assert!(
            error.contains("[custody.a] and [custody.b] name the same token: remove one of them"),
            "{error}"
        );
        assert!(two(&format!("{LEAST}serial = '7'")).is_err(), "the label is the same");
        let others = [
            LEAST.replace("' a b '", "'c'"),
            LEAST.replace("/lib/p11.so", "/lib/other.so"),
            format!("{LEAST}env = {{ SOFTHSM2_CONF = 'x' }}"),
        ];
        for other in others {
            assert_eq!(two(&other).unwrap().custody.len(), 2, "{other}");
        }
    }

    #[test]
    fn what_cannot_be_a_token_is_refused_and_says_why() {
        let without_token = LEAST.replace("token = ' a b '\n", "");
        for (section, error) in [
            (without_token.as_str(), "name the token"),
            (&format!("{LEAST}sessions = 0"), "sessions must be from 1 to 64"),
            (&format!("{LEAST}sessions = 65"), "sessions must be from 1 to 64"),
            (&format!("{LEAST}timeout = '1ms'"), "timeout must be from 100ms to 1h"),
            (&format!("{LEAST}serial = ' '"), "must not be empty"),
            (&format!("{LEAST}env = {{ 'A=B' = 'c' }}"), "no variable of the environment"),
            (&format!("{LEAST}env = {{ A = 1 }}"), "expected a string"),
            (&format!("{LEAST}pin = '1234'"), "unknown field `pin`"),
            (&LEAST.replace("pin-file = 'pin'", ""), "missing field `pin-file`"),
        ] {
            let shown = toml::from_str::<Custodian>(section).unwrap_err().to_string();
            assert!(shown.contains(error), "{section}: {shown}");
        }
    }
}
