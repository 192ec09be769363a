//! `signwave outlets reset`.

use anyhow::{Result, anyhow, bail};
use clap::Args;

use crate::{
    cli::{confirm::confirm, context::Context, failure::Usage, user},
    domain::Position,
    store::{ResetTo, ResetVerdict},
};

/// Set where an outlet goes on.
#[derive(Args, Debug)]
#[command(after_help = "\
When the position of an outlet is not in the feed, nothing is sent: the database was restored from a
backup or replaced, or its feed has a new id. Only a person can know what the consumers have:
  --to-start     everything is sent, from the first signature on. Consumers miss nothing, and get
                 again what they have.
  --to-end       what is stored from now on is sent. Nothing is repeated. What was stored before
                 and has not reached the consumers is never sent: they have to read it themselves
                 ('signwave export --after', GET /v1/signatures?after=).
  --to POSITION  what comes after this position is sent, such as the id of the last message that
                 the consumers have (of 5f3c09a1be72.41.500, take 5f3c09a1be72.41). A position that
                 is too early repeats signatures, one that is too late leaves signatures out.

What is sent again from the same feed has the same message ids, and consumers who go by the ids skip
it. Two cases differ:
  A feed with a new id gives the same signatures other ids. Consumers know them by their records.
  A restored backup with the old id gives positions again, to other signatures. Consumers who go by
  the ids would skip these. 'signwave ledger accept' gives the feed a new id: use it first.

A queue of RabbitMQ gets what is sent again in addition to what it has. A subject of NATS decides by
itself, by its last message, as long as that is of this feed: purge the subject to send it more. A
webhook is sent one message, with the newest position. If it is disabled, enable it after the reset.

An outlet is not reset while a node holds it. Stop the services that publish to it. A service that
was killed holds it for ten seconds. A service that waits for a position goes on by itself.

Examples:
  signwave outlets reset publish:orders --to-start
  signwave outlets reset webhook:billing --to-end --yes
  signwave outlets reset 'amqp://mq.example:5671/VHOST?queue=signatures' --to 5f3c09a1be72.41")]
pub struct Reset {
    /// The outlet, as 'outlets list' shows its name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    to: To,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Where the outlet goes on.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct To {
    /// Go on at the start of the feed: everything is sent again
    #[arg(long)]
    to_start: bool,
    /// Go on at the end of the feed: what is not sent yet never is
    #[arg(long)]
    to_end: bool,
    /// Go on behind this position
    #[arg(long, value_name = "POSITION")]
    to: Option<Position>,
}

impl Reset {
    pub(super) fn run(&self, context: &Context) -> Result<()> {
        let (to, where_to) = self.to.read()?;
        let store = context.open()?.store;
        let outlet = store.outlets()?.into_iter().find(|row| row.name == self.name);
        let before = outlet.ok_or_else(|| self.unknown())?.position;
        confirm(&format!("outlet {} is at {before}, and goes on {where_to}", self.name), self.yes)?;
        store.sequence()?;
        match store.reset_outlet(&self.name, to, &user::by())? {
            ResetVerdict::Reset { before, after } => {
                log::info!("outlet {} was at {before}, and goes on behind {after}", self.name);
                Ok(())
            }
            ResetVerdict::NotThere => Err(self.unknown()),
            ResetVerdict::Held(node) => bail!(
                "node {node} holds outlet {}: stop the services that publish to it. A killed one holds it for ten seconds",
                self.name
            ),
            ResetVerdict::NotInFeed(end) => bail!("the position is not in the feed, which ends at {end}"),
        }
    }

    fn unknown(&self) -> anyhow::Error {
        anyhow!("there is no outlet {}: 'signwave outlets list' shows the names", self.name)
    }
}

impl To {
    /// Where to, for the database and in words.
    fn read(&self) -> Result<(ResetTo, String)> {
        Ok(match self.to {
            Some(position) if position.records > 0 => {
                let whole = Position::behind(position.feed, position.place);
                bail!(Usage(format!(
                    "{position} is in the middle of a batch: an outlet begins with a whole batch, so take {whole}"
                )))
            }
            Some(position) => {
                (ResetTo::Behind(position.feed, position.place), format!("behind position {position}"))
            }
            None if self.to_end => {
                (ResetTo::End, "at the end of the feed: what is not sent yet never is".to_owned())
            }
            None => (ResetTo::Start, "at the start of the feed: everything is sent again".to_owned()),
        })
    }
}
