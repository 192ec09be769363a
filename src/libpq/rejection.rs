//! Why a connection was not made: judged by the text of libpq, which is built in and has no translations, and
//! by the SQLSTATE of a server that refused. A server's text may be in any language.

use super::{
    address::{Parts, shown},
    error::{ConnectError, one_line},
    startup::{self, Place},
};

/// A message of libpq about a server can be shown. A message about an address that libpq cannot read repeats
/// parts of the address, such as the password, in quotes or behind a colon.
pub(super) fn not_connected(message: &str, url: &str) -> ConnectError {
    let shown = shown(url);
    let of_a_server = [CONNECTION, "could not translate host name"];
    // A host with an '@' is really the end of a password that contains an '@'.
    let host = message.split('"').nth(1).unwrap_or_default();
    let is_certain = !host.contains('@') && (shown != "postgres://.." || !message.contains('@'));
    if is_certain && of_a_server.iter().any(|start| message.starts_with(start)) {
        let text = one_line(message);
        return if is_down(message, &Parts::of(url)) {
            ConnectError::Unavailable(text)
        } else {
            ConnectError::Denied(text)
        };
    }
    let reason = message.split(['"', ':']).next().unwrap_or_default().trim();
    ConnectError::BadUrl(format!(
        "'{shown}' is not a valid server address ({reason}): in the user name and password, write %40 for '@', %2F for \
         '/', %3A for ':' and %25 for '%'"
    ))
}

/// How libpq's message about one host begins, and how it continues.
const CONNECTION: &str = "connection to server ";
const FAILED: &str = " failed: ";

/// How libpq's reasons begin when there is no server yet, or none that accepts connections or writes. Any other
/// reason, such as a bad certificate, would come again on a retry.
const DOWN: [&str; 16] = [
    "Connection refused",
    "Connection reset",
    "Connection timed out",
    "Host is down",
    "Network is unreachable",
    "No route to host",
    "No such file or directory", // the server's socket
    "Resource temporarily unavailable",
    "SSL SYSCALL error",
    "SSL connection has been closed",
    "could not receive data from server",
    "could not send",
    "server closed the connection",
    "server is in hot standby mode",
    "session is read-only",
    "timeout expired",
];

/// SQLSTATEs of a server that is full, or starts, stops or was stopped: classes 53 and 57 of the manual,
/// and 00000, which stands for a server that lets us in now.
const PASSING: [&str; 3] = ["53", "57", "00"];

/// Whether at least one of the hosts may accept connections in a moment.
fn is_down(message: &str, parts: &Parts<'_>) -> bool {
    // An unknown host name may be a typing error; a name server that does not answer is an outage.
    if message.contains("Temporary failure in name resolution")
        && message.contains("could not translate host name")
    {
        return true;
    }
    message.split(CONNECTION).skip(1).filter_map(|attempt| attempt.split_once(FAILED)).any(
        |(place, reason)| {
            if DOWN.iter().any(|start| reason.starts_with(start)) {
                return true;
            }
            // A server's text follows its word for "fatal", a colon and two spaces.
            let is_servers = reason.lines().next().is_some_and(|line| line.contains(":  "));
            let sqlstate = || startup::sqlstate(&Place::parse(place)?, parts);
            is_servers && sqlstate().is_some_and(|state| PASSING.iter().any(|class| state.starts_with(class)))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libpq_s_own_words_tell_a_server_that_is_away_from_one_that_refuses() {
        let parts = Parts::of("postgres://u@h/d");
        for (message, down) in [
            (
                "connection to server at \"h\" (1.2.3.4), port 1 failed: Connection refused\n\tIs the server ..?",
                true,
            ),
            (
                "connection to server on socket \"/x/.s.PGSQL.1\" failed: No such file or directory\n\tIs ..?",
                true,
            ),
            ("connection to server at \"h\", port 1 failed: timeout expired", true),
            ("could not translate host name \"h\" to address: Temporary failure in name resolution", true),
            ("could not translate host name \"h\" to address: Name or service not known", false),
            ("connection to server at \"h\", port 1 failed: SSL error: certificate verify failed", false),
            ("connection to server at \"h\", port 1 failed: fe_sendauth: no password supplied", false),
            // What a server says decides nothing, whatever it is. Nobody answers there any more.
            ("connection to server at \"127.0.0.1\", port 1 failed: FATAL:  Passwort falsch", true),
            (
                "connection to server at \"a\", port 1 failed: SSL error: x\n\
                 connection to server at \"b\", port 1 failed: session is read-only\n",
                true,
            ),
        ] {
            assert_eq!(is_down(message, &parts), down, "{message}");
        }
    }
}
