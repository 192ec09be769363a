//! Naming one token: by its id, or by the token itself.

use std::{convert::Infallible, fmt, str::FromStr};

use anyhow::{Result, bail};
use zeroize::Zeroizing;

use crate::{access::Token, cli::failure::Usage, domain::TokenId};

/// What was given to name a token. It may be a whole token, so it is shown nowhere.
#[derive(Clone)]
pub struct Given(Zeroizing<String>);

impl Given {
    /// The id that it names.
    ///
    /// # Errors
    /// When it is neither the id of a token nor a token.
    pub fn id(&self) -> Result<TokenId> {
        match (self.0.parse::<TokenId>(), Token::parse(&self.0)) {
            (Ok(id), _) => Ok(id),
            (_, Ok(token)) => Ok(token.id()),
            (Err(error), _) => bail!(Usage(error.to_string())),
        }
    }
}

impl FromStr for Given {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Given(..)")
    }
}

/// The error for an id that no token has.
pub fn unknown(id: TokenId) -> anyhow::Error {
    anyhow::anyhow!("there is no token {id}: 'signwave tokens list' shows the ids")
}
