//! Changes by people, such as those of keys and tokens: who made them, and what they are called in the audit log.

use std::{fmt, str::FromStr};

use super::TokenId;

/// Who makes a change, and from where. Each change in the audit log is stored with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// Who.
    pub who: Who,
    /// The address of the client; `None` for what comes from this machine by itself.
    pub address: Option<String>,
    /// The id of the request, which the log has too.
    pub request: Option<String>,
}

impl By {
    /// A change that no request asked for.
    pub fn without_request(who: Who) -> Self {
        Self { who, address: None, request: None }
    }
}

/// Who can make a change. Its text is `token:ID`, `cli:USER` or `node:NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A client of the API, by its token.
    Token(TokenId),
    /// A person at the command line, by the name that the operating system has for the user.
    CommandLine(String),
    /// The service itself, by the name of the node.
    Node(String),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(id) => write!(f, "token:{id}"),
            Self::CommandLine(user) => write!(f, "cli:{user}"),
            Self::Node(name) => write!(f, "node:{name}"),
        }
    }
}

impl FromStr for Who {
    type Err = UnknownWho;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("token", id)) => id.parse().map(Self::Token).map_err(|_| UnknownWho(text.to_owned())),
            Some(("cli", user)) if !user.is_empty() => Ok(Self::CommandLine(user.to_owned())),
            Some(("node", name)) if !name.is_empty() => Ok(Self::Node(name.to_owned())),
            _ => Err(UnknownWho(text.to_owned())),
        }
    }
}

/// Text that names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is none of token:ID, cli:USER and node:NAME")]
pub struct UnknownWho(pub String);

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A key was added.
    AddKey,
    /// The state of a key was set.
    SetKeyState,
    /// The limits of a key were set.
    SetKeyLimits,
    /// The certificates of a key were set.
    SetKeyCertificates,
    /// The sealed keys were sealed under another master key.
    RotateMasterKey,
    /// A token was made.
    AddToken,
    /// A token got another secret.
    RotateToken,
    /// A token was revoked.
    RevokeToken,
    /// Somebody signed in to the dashboard.
    AddSession,
    /// Somebody signed out.
    EndSession,
    /// A webhook was added.
    AddWebhook,
    /// A webhook got another secret.
    RotateWebhook,
    /// A webhook was enabled.
    EnableWebhook,
    /// A webhook was disabled.
    DisableWebhook,
    /// A webhook was removed.
    RemoveWebhook,
    /// The position of an outlet was set.
    ResetOutlet,
    /// A refused message became a record.
    RetryRefused,
    /// A refused message was deleted.
    DropRefused,
    /// A database that was put back was accepted.
    AcceptRestore,
    /// A database that was put back got back what it lacked.
    HealRestore,
}

impl Action {
    /// The name in the audit log. Programs of another version may write other names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AddKey => "key.add",
            Self::SetKeyState => "key.state",
            Self::SetKeyLimits => "key.limits",
            Self::SetKeyCertificates => "key.certificates",
            Self::RotateMasterKey => "master.rotate",
            Self::AddToken => "token.add",
            Self::RotateToken => "token.rotate",
            Self::RevokeToken => "token.revoke",
            Self::AddSession => "session.add",
            Self::EndSession => "session.end",
            Self::AddWebhook => "webhook.add",
            Self::RotateWebhook => "webhook.rotate",
            Self::EnableWebhook => "webhook.enable",
            Self::DisableWebhook => "webhook.disable",
            Self::RemoveWebhook => "webhook.remove",
            Self::ResetOutlet => "outlet.reset",
            Self::RetryRefused => "refused.retry",
            Self::DropRefused => "refused.drop",
            Self::AcceptRestore => "ledger.accept",
            Self::HealRestore => "ledger.heal",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_made_a_change_is_read_back_as_it_was_written() {
        let id = "abcdefghij".parse().unwrap();
        for who in [Who::Token(id), Who::CommandLine("ada@host:1".to_owned()), Who::Node("host-7".to_owned())]
        {
            assert_eq!(who.to_string().parse(), Ok(who));
        }
        for text in ["", "ada", "cli:", "node:", "token:ada", "user:ada"] {
            assert!(text.parse::<Who>().is_err(), "{text}");
        }
    }
}
