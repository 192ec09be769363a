//! Tokens of the API: each is printed once, when it is made, and shown nowhere else.

use std::fs;

use data_encoding::BASE32_NOPAD;
use signwave::access::Token;

use crate::{search::Secrets, watched::Watched};

/// A token that a command printed.
fn made(watched: &Watched, arguments: &[&str]) -> String {
    watched.sandbox.ok(arguments).trim_end().to_owned()
}

/// The token as it is written, and the bytes of its secret in every way in which bytes are written.
fn secrets(secrets: Secrets, name: &str, token: &str) -> Secrets {
    let secret = &token[15..67];
    let bytes = BASE32_NOPAD.decode(secret.to_uppercase().as_bytes()).unwrap();
    secrets.text(name, secret).bytes(name, &bytes)
}

#[test]
fn a_token_is_shown_nowhere_but_where_it_is_made() {
    let mut watched = Watched::new(Secrets::default());
    watched.sandbox.ok(&["migrate"]);
    let create = ["tokens", "create", "--name", "ci", "--scope", "submit,read,admin"];
    let first = made(&watched, &create);
    let id = first[4..14].to_owned();
    let second = made(&watched, &["tokens", "rotate", &id]);
    let (third, fourth) = (Token::issue().text().to_string(), made(&watched, &create));
    let tokens = [("first", &first), ("second", &second), ("third", &third), ("fourth", &fourth)];
    watched.looks_for(tokens.iter().fold(Secrets::default(), |all, (name, token)| secrets(all, name, token)));

    watched.ok(&["tokens", "list"], &[]);
    watched.ok(&["tokens", "list", "--json"], &[]);
    watched.ok(&["audit-log"], &[]);
    watched.ok(&["audit-log", "--json"], &[]);
    watched.ok(&["verify"], &[]);
    for (_, token) in tokens {
        let cut = &token[..73];
        let upper = token.to_uppercase();
        // Where an id belongs, a token is taken for it; what is nearly one is not repeated.
        watched.fails(&["tokens", "revoke", cut], &[], "the id of a token is 10 characters");
        watched.fails(&["tokens", "rotate", &upper], &[], "the id of a token is 10 characters");
        // Where something else belongs.
        for wrong in [
            &["tokens", token][..],
            &["tokens", "create", "--scope", token],
            &["tokens", "create", "--name", "n", "--scope", "read", "--expires", token],
            &["tokens", "create", "--name", "n", "--scope", "read", "--client-certificate", token],
            &["tokens", "list", token],
            &["audit-log", "--after", token],
            &["import", token],
            &["keys", "show", token],
            &["status", "--config", token],
            &["status", "--database", token],
            &["sign", "--master-key-file", token],
            &["status", token],
            &[token],
        ] {
            watched.fails(wrong, &[], "");
        }
        watched.run(&["tokens", "revoke", token], &[]);
    }
    watched.ok(&["audit-log", "--json"], &[]);
    // The database has the hash alone.
    watched.sweep();
    assert!(fs::metadata(watched.sandbox.path("signwave.db")).unwrap().len() > 0);
}
