//! Who runs the command, for the audit log.

use nix::unistd::{User, getuid};

use crate::domain::{By, Who};

/// The user of this process and the host, such as `ada@host`. A user without a name is `uid 1000`. Environment variables
/// are not asked, because anybody can set them.
pub fn by() -> By {
    let uid = getuid();
    let user = match User::from_uid(uid) {
        Ok(Some(user)) if !user.name.is_empty() => user.name,
        _ => format!("uid {uid}"),
    };
    let host = rustix::system::uname();
    By::without_request(Who::CommandLine(format!("{user}@{}", host.nodename().to_string_lossy())))
}
