//! Who runs the command, for the audit log and for names.

use nix::unistd::{User, getuid};

use crate::domain::{By, Who};

/// The user of this process, who makes a change by a command.
pub fn by() -> By {
    By::without_request(Who::CommandLine(name()))
}

/// The user of this process and the host, such as `ada@host`. A user without a name is `uid 1000`. Environment variables
/// are not asked, because anybody can set them.
pub fn name() -> String {
    let uid = getuid();
    let user = match User::from_uid(uid) {
        Ok(Some(user)) if !user.name.is_empty() => user.name,
        _ => format!("uid {uid}"),
    };
    let host = rustix::system::uname();
    format!("{user}@{}", host.nodename().to_string_lossy())
}
