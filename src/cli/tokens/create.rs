//! `signwave tokens create`.

use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::{may, show_once};
use crate::{
    access::{DEFAULT_LIFE, Life, Token, life, new_token_id},
    cli::{context::Context, failure::Usage, user},
    domain::{Fingerprint, Scopes, TokenId, TokenName},
    signer::certificate_key,
    store::{AddTokenVerdict, Credential, NewToken, Store, TokenRow},
};

/// Make a token and print it, once.
#[derive(Args, Debug)]
#[command(after_help = "\
Scopes:
  submit   add records
  read     read records, signatures, batches, nodes and the status
  operate  manage the keys
  admin    manage the tokens, and read the audit log
No scope includes another: give each that is needed.

The token is printed alone on standard output. The database has only a hash of it, so nothing can
show it again. With --client-certificate there is no token to keep: a client that proves by TLS to
have the certificate's key has the scopes, whatever else the certificate says. Only the id is
printed then.

Examples:
  signwave tokens create --name ci --scope submit,read > ci.token
  signwave tokens create --name prometheus --scope read --expires never
  signwave tokens create --name gateway --scope submit --client-certificate gateway.pem")]
pub struct Create {
    /// What to call it in lists
    #[arg(long, value_name = "NAME")]
    name: TokenName,
    /// What it may do: submit, read, operate or admin; several with commas
    #[arg(long, value_name = "SCOPES")]
    scope: Scopes,
    /// How long it can be used: a duration such as 12h or 90d, or 'never'
    #[arg(long, value_name = "TIME", default_value = DEFAULT_LIFE, value_parser = life)]
    expires: Life,
    /// A client certificate in PEM or DER whose key stands for the token; '-' is standard input
    #[arg(long, value_name = "FILE")]
    client_certificate: Option<PathBuf>,
}

impl Create {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        match &self.client_certificate {
            None => {
                let store = context.open()?.store;
                let token = Token::issue();
                let row = self.add(store.as_ref(), token.id(), Credential::Secret(token.hash()))?;
                show_once(&token)?;
                log::info!("{}; it is shown only now", may(row.id, &row));
            }
            Some(file) => {
                let key = key_of(file)?;
                let store = context.open()?.store;
                let row = self.add(store.as_ref(), new_token_id(), Credential::Certificate(key))?;
                writeln!(io::stdout().lock(), "{}", row.id)?;
                log::info!("{}, by the certificate key {key}", may(row.id, &row));
            }
        }
        Ok(())
    }

    fn add(&self, store: &dyn Store, id: TokenId, credential: Credential) -> Result<TokenRow> {
        let (name, scopes) = (self.name.clone(), self.scope);
        let token = NewToken { id, name, scopes, credential, expires_in: self.expires.duration() };
        match store.add_token(&token, &user::by())? {
            AddTokenVerdict::Added(row) => Ok(*row),
            AddTokenVerdict::CertificateTaken(other) => bail!(
                "the key of this certificate stands for token {other} already: revoke that one first, or use \
                 another certificate"
            ),
        }
    }
}

/// The key of the certificate in a file.
fn key_of(file: &Path) -> Result<Fingerprint> {
    let is_stdin = file == Path::new("-");
    let name = if is_stdin { "standard input".to_owned() } else { format!("'{}'", file.display()) };
    let read =
        if is_stdin { contents(io::stdin().lock()) } else { std::fs::File::open(file).and_then(contents) };
    let bytes = read.with_context(|| format!("the certificate {name} cannot be read"))?;
    certificate_key(&bytes).map_err(|error| Usage(format!("{name}: {error}")).into())
}

/// At most as much as a certificate can have, and a byte more, which shows that it is none.
fn contents(input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take((1 << 16) + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
