//! The password of the database, in every way in which it comes in, without a server behind it.

use crate::{search::Secrets, watched::Watched};

const PASSWORD: &str = "Gk7wPz2n-Vd4s_XcT9qH";

fn watched() -> Watched {
    let mut watched = Watched::new(Secrets::default().text("the password", PASSWORD));
    watched.sandbox.write("records.txt", "one\n");
    watched.give("key.pem", include_str!("../fixtures/signer/other2048.pem"));
    watched
}

/// Every command that opens a database.
const COMMANDS: [&[&str]; 12] = [
    &["migrate"],
    &["migrate", "--revert", "--yes"],
    &["seed", "--records", "1"],
    &["keys", "import", "key.pem"],
    &["keys", "list"],
    &["keys", "retire", "1", "--yes"],
    &["import", "records.txt"],
    &["sign"],
    &["serve"],
    &["verify"],
    &["export"],
    &["status", "--json"],
];

#[test]
fn a_password_is_not_shown_when_the_server_cannot_be_reached() {
    let url = format!("postgres://user:{PASSWORD}@127.0.0.1:1/name");
    let parameter = format!("postgresql://127.0.0.1:1/name?user=user&password={PASSWORD}");
    let mut watched = watched();
    watched.give("settings.toml", format!("database = '{url}'"));
    watched.give("passwords", format!("127.0.0.1:1:*:*:{PASSWORD}"));
    let bare = [("DATABASE_URL", "postgres://user@127.0.0.1:1/name")];
    for command in COMMANDS {
        for (arguments, environment) in [
            (vec!["--database", &url], vec![]),
            (vec!["--database", &parameter], vec![]),
            (vec!["--config", "settings.toml"], vec![]),
            (vec![], vec![("DATABASE_URL", url.as_str())]),
            (vec![], vec![("SIGNWAVE_DATABASE", url.as_str())]),
            (vec![], vec![bare[0], ("PGPASSWORD", PASSWORD)]),
            (vec![], vec![bare[0], ("PGPASSFILE", "passwords")]),
        ] {
            let arguments = [command, &arguments[..]].concat();
            if command[0] == "serve" {
                watched.waits(&arguments, &environment, "Connection refused");
            } else {
                watched.fails(&arguments, &environment, "Connection refused");
            }
        }
    }
    watched.sweep();
}

#[test]
fn a_password_in_an_address_that_is_none_is_not_shown() {
    let mut watched = watched();
    for address in [
        "mysql://user:PASSWORD@host/name",
        "postgres:/user:PASSWORD@host/name",
        "postgre://user:PASSWORD@host/name",
        "user:PASSWORD@host/name",
        "://user:PASSWORD@host/name",
        "sqlite://user:PASSWORD@host/name?x=1",
        "postgres://user:100%PASSWORD@127.0.0.1:1/name",
        "postgres://user:PASSWORD%@127.0.0.1:1/name",
        "postgres://user:x@PASSWORD@127.0.0.1:1/name",
        "postgres://user:x/PASSWORD@127.0.0.1:1/name",
        "postgres://user:x?PASSWORD@127.0.0.1:1/name",
        "postgres://user:x#PASSWORD@127.0.0.1:1/name",
        "postgres://user:PASSWORD/name",
        "postgres://user:PASSWORD",
        "postgres://user:PASSWORD@[::1/name",
        "postgres://user:x@127.0.0.1:PASSWORD/name",
        "postgres://127.0.0.1:1/name?PASSWORD",
        "postgres://127.0.0.1:1/name?password=x=PASSWORD",
        "postgres://127.0.0.1:1/name?pasword=PASSWORD",
        "postgres://127.0.0.1:1/name?password=PASSWORD&sslmode=no",
        "postgres://127.0.0.1:1/name?sslmode=PASSWORD",
        "postgres://127.0.0.1:1/name?port=PASSWORD",
    ] {
        let address = address.replace("PASSWORD", PASSWORD);
        for command in [&["status"][..], &["migrate"], &["sign"]] {
            watched.fails(&[command, &["--database", &address]].concat(), &[], "");
            watched.fails(command, &[("DATABASE_URL", &address)], "");
        }
    }
    watched.sweep();
}

#[test]
fn an_address_where_none_belongs_is_not_shown() {
    let mut watched = watched();
    for address in
        ["postgres://user:PASSWORD@host/name", "user:PASSWORD@host/name", "x:/user:a@PASSWORD/name"]
    {
        let address = address.replace("PASSWORD", PASSWORD);
        watched.fails(&["status", &address], &[], "unexpected argument");
        watched.fails(&[&address], &[], "unrecognized subcommand");
        watched.fails(&["status", "--connections", &address], &[], "invalid value");
        watched.fails(&["status"], &[("SIGNWAVE_CONNECTIONS", &address)], "invalid value");
        watched.fails(&["keys", "show", "1", "--log-format", &address], &[], "invalid value");
        watched.fails(&["sign", &format!("--batch-size={address}")], &[], "invalid value");
        watched.fails(&["sign", "--scheme", &address], &[], "invalid value");
        watched.fails(&["sign", &format!("--data-base={address}")], &[], "unexpected argument");
        watched.fails(&["keys", "show", "1", &format!("--{address}")], &[], "unexpected argument");
        for line in [
            "database = ADDRESS",
            "database = 'ADDRESS",
            "databse = 'ADDRESS'",
            "database = ['ADDRESS']",
            "database.'ADDRESS' = 1",
            "connections = 'ADDRESS'",
            "log-format = 'ADDRESS'",
            "'ADDRESS' = 1",
            "[signing]\nscheme = 'ADDRESS'",
            "[signing]\nlinger = 'ADDRESS'",
            "[database]\nurl = 'ADDRESS'",
            "database = 'ADDRESS'\ndatabase = 'ADDRESS'",
        ] {
            watched.give("settings.toml", line.replace("ADDRESS", &address));
            watched.fails(&["status", "--config", "settings.toml"], &[], "settings.toml:");
        }
    }
    watched.sweep();
}
