//! What an address says about the position, whatever the broker.

use crate::brokers::{BadAddress, Query};

/// Where a publisher begins, and under which name its position is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Where a new destination begins.
    pub from: From,
    /// The name under which the position is kept, instead of the address.
    pub name: Option<String>,
}

/// Where a new destination begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum From {
    /// At the beginning of the feed.
    #[default]
    Start,
    /// At the end that the feed has when the publisher starts for the first time.
    Now,
}

/// The longest name, which the schema sets, without what is put before it.
const LONGEST: usize = 1000;

impl Options {
    /// Takes the options that every broker has out of a query.
    ///
    /// # Errors
    /// [`BadAddress::Value`] when one has a wrong value.
    pub fn take(query: &mut Query) -> Result<Self, BadAddress> {
        let from = match query.take("from").as_deref() {
            None | Some("start") => From::Start,
            Some("now") => From::Now,
            Some(_) => return Err(BadAddress::Value("from", "start or now")),
        };
        let name = query.take("name");
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if name.as_ref().is_some_and(|name| !(1..=64).contains(&name.len()) || !name.chars().all(is_plain)) {
            return Err(BadAddress::Value("name", "1 to 64 letters, digits, '-', '.' and '_'"));
        }
        Ok(Self { from, name })
    }

    /// The name of the position: the one that is given, or the `destination`.
    ///
    /// # Errors
    /// [`BadAddress::Value`] when the destination is too long to be a name.
    pub fn named(&self, destination: String) -> Result<String, BadAddress> {
        match &self.name {
            Some(name) => Ok(format!("publish:{name}")),
            None if destination.len() <= LONGEST => Ok(destination),
            None => Err(BadAddress::Value("name", "given, because the address is too long to be one")),
        }
    }
}
