//! Stores a chunk of checked messages, however long the database is away.

use std::{sync::Arc, time::Duration};

use super::{checking::Checked, links::Links};
use crate::{
    actors::{call::call, clock::Clock, outage::Outage},
    domain::ArrivalVerdict,
    store::{Store, StoreError},
};

/// How long a chunk is held while the database is away. After that its messages are given back to the broker, which
/// would otherwise end the session when its patience is over, or be kept from handing them to another process.
const HELD: Duration = Duration::from_secs(30);

/// What became of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Each message is a record or refused, and that is durable.
    All,
    /// Not all of it is known to be stored: the messages must come again.
    NotAll(Why),
}

/// Why a chunk was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A stop was requested.
    Stopped,
    /// The database has been away for too long.
    DatabaseAway,
}

/// Stores a chunk. If the schema refuses a message, the others are stored without it.
///
/// What if we die here? Each transaction stores all of its messages or none. Nothing is acknowledged yet, so that all of
/// them come again. If the reply to a COMMIT is lost, the same messages are stored once more, which changes nothing.
pub async fn store(chunk: Vec<Checked>, source: &Arc<str>, links: &Links, clock: &Clock) -> Stored {
    let mut outage = Outage::default();
    // The part that comes next is the last of these.
    let mut parts: Vec<Arc<[Checked]>> = vec![chunk.into()];
    while let Some(part) = parts.pop() {
        let error = match insert(&part, source, links).await {
            Ok(verdicts) => {
                outage.note("store messages", &Ok::<_, StoreError>(()));
                note(&verdicts, links);
                continue;
            }
            Err(error) => error,
        };
        match &error {
            StoreError::Refused(_) if part.len() > 1 => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second.into(), first.into()]);
                continue;
            }
            StoreError::Refused(words) if part[0].is_record() => {
                parts.push([part[0].refused_by_schema(words)].into());
                continue;
            }
            _ => parts.push(part),
        }
        outage.note("store messages", &Err::<(), _>(error));
        if outage.lasts(clock()) > HELD {
            return Stored::NotAll(Why::DatabaseAway);
        }
        if !outage.wait(&links.stop).await {
            return Stored::NotAll(Why::Stopped);
        }
    }
    Stored::All
}

async fn insert(
    part: &Arc<[Checked]>,
    source: &Arc<str>,
    links: &Links,
) -> Result<Vec<ArrivalVerdict>, StoreError> {
    let (part, source) = (Arc::clone(part), Arc::clone(source));
    let insert = move |store: &dyn Store| {
        let arrivals: Vec<_> = part.iter().map(Checked::arrival).collect();
        store.insert_arrivals(&source, &arrivals)
    };
    call(&links.db, insert).await
}

fn note(verdicts: &[ArrivalVerdict], links: &Links) {
    verdicts.iter().for_each(|verdict| links.counters.add(*verdict));
    if verdicts.iter().any(|verdict| matches!(verdict, ArrivalVerdict::Record(_))) {
        links.news.tell();
    }
}
