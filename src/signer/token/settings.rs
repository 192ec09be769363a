//! How a token is reached.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// A token behind a PKCS#11 module, as the settings describe it. It has at least one of `label` and `serial`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSettings {
    /// The library that the maker of the token supplies.
    pub module: PathBuf,
    /// The label of the token.
    pub label: Option<String>,
    /// The serial number of the token.
    pub serial: Option<String>,
    /// A file whose first line is the user PIN.
    pub pin_file: PathBuf,
    /// How many sessions to open, each of which signs with one key at a time. A token may allow fewer.
    pub sessions: usize,
    /// How long one operation of the token may take.
    pub timeout: Duration,
    /// The whole environment of the process that loads the module.
    pub env: BTreeMap<String, String>,
}
