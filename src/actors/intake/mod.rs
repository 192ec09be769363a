//! Intake: stores single records that clients submit, many in one transaction.
//!
//! No timer: while one transaction runs, the next group gathers, as the batches that finish while a commit runs do.

mod queue;

use std::{iter, sync::Arc};

use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, Recipient, WrapFuture};
use tokio::sync::oneshot;

use self::queue::Queue;
use super::{
    db::ask,
    messages::{Incoming, Insert},
    news::News,
    outage::Outage,
};
use crate::{
    domain::InsertVerdict,
    store::{OnConflict, StoreError},
};

/// Stores a record, and returns after the commit. If the caller drops this future, the record may be stored or not.
///
/// # Errors
/// See [`SubmitError`].
pub async fn submit(intake: &Addr<Intake>, record: Incoming) -> Result<InsertVerdict, SubmitError> {
    let waiting = intake.send(Submit(record)).await.unwrap_or_else(|_| Err(ended()))?;
    waiting.await.unwrap_or_else(|_| Err(ended()))
}

/// Stores records in one transaction, for callers that have many. Each of them waits for its transaction before it
/// sends the next one, so that single records are not held up for long.
///
/// # Errors
/// Those of [`Intake::insert_records`](crate::store::Intake::insert_records).
pub async fn insert(
    inserts: &Recipient<Insert>,
    records: Vec<Incoming>,
    on_conflict: OnConflict,
) -> Result<Vec<InsertVerdict>, StoreError> {
    let all = 0..records.len();
    ask(inserts, Insert(records.into(), all, on_conflict)).await
}

/// To Intake: store this record. The reply is where the verdict will be, unless there is no room.
#[derive(Message)]
#[rtype(result = "Result<Waiting, SubmitError>")]
struct Submit(Incoming);

/// Where the verdict on a record arrives. Dropping it before the transaction begins withdraws the record.
type Waiting = oneshot::Receiver<Result<InsertVerdict, SubmitError>>;

/// Why there is no verdict on a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// Too many records wait already. The record was not stored.
    #[error("too many records wait to be stored: send it again in a moment")]
    Overloaded,
    /// The database's error. After [`StoreError::UnknownOutcome`] the record may be stored, and otherwise it is not.
    /// In both cases callers may send it again, because its name makes that harmless.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Stores submitted records. Each caller gets a separate verdict.
pub struct Intake {
    inserts: Recipient<Insert>,
    news: News,
    queue: Queue,
    /// Whether a transaction is under way.
    is_storing: bool,
    outage: Outage,
}

/// Where the verdict on a record goes.
type Reply = oneshot::Sender<Result<InsertVerdict, SubmitError>>;

impl Intake {
    /// Sends transactions to `inserts`, and tells `news` of new records after each commit.
    pub fn new(inserts: Recipient<Insert>, news: News) -> Self {
        Self { inserts, news, queue: Queue::default(), is_storing: false, outage: Outage::default() }
    }

    /// Stores what has gathered, unless a transaction is under way.
    fn advance(&mut self, ctx: &mut Context<Self>) {
        if self.is_storing {
            return;
        }
        let (records, replies) = self.queue.group();
        if records.is_empty() {
            return;
        }
        self.is_storing = true;
        let storing = store(self.inserts.clone(), records.into());
        ctx.spawn(storing.into_actor(self).map(|results, actor, ctx| {
            actor.is_storing = false;
            actor.stored(replies, results);
            actor.advance(ctx);
        }));
    }

    fn stored(&mut self, replies: Vec<Reply>, results: Vec<Result<InsertVerdict, StoreError>>) {
        if results.iter().any(|result| matches!(result, Ok(InsertVerdict::Inserted(_)))) {
            self.news.tell();
        }
        // A refusal is one record's own fault.
        let failed = results.iter().find(|result| !matches!(result, Ok(_) | Err(StoreError::Refused(_))));
        self.outage.note("store submitted records", failed.unwrap_or(&Ok(InsertVerdict::Conflict)));
        for (reply, result) in replies.into_iter().zip(results) {
            // The caller may have given up. The record stays stored, and sending it again answers so.
            let _ = reply.send(result.map_err(SubmitError::from));
        }
    }
}

impl Actor for Intake {
    type Context = Context<Self>;
}

impl Handler<Submit> for Intake {
    type Result = Result<Waiting, SubmitError>;

    fn handle(&mut self, Submit(record): Submit, ctx: &mut Self::Context) -> Self::Result {
        let (reply, waiting) = oneshot::channel();
        if !self.queue.push(record, reply) {
            return Err(SubmitError::Overloaded);
        }
        self.advance(ctx);
        Ok(waiting)
    }
}

/// The error after which it is not known what became of a record.
fn ended() -> SubmitError {
    StoreError::UnknownOutcome("the actor that stores records has ended".to_owned()).into()
}

/// Stores the records, and answers for each of them in the same order. If the schema refuses one, the others are
/// stored without it.
///
/// What if we die here? Each transaction stores all of its records or none. No caller has a verdict yet, and all of
/// them send their records again.
async fn store(
    inserts: Recipient<Insert>,
    records: Arc<[Incoming]>,
) -> Vec<Result<InsertVerdict, StoreError>> {
    let mut results = Vec::with_capacity(records.len());
    // The part that comes next is the last of these.
    let mut parts: Vec<_> = iter::once(0..records.len()).collect();
    while let Some(part) = parts.pop() {
        let insert = Insert(Arc::clone(&records), part.clone(), OnConflict::Continue);
        match ask(&inserts, insert).await {
            Ok(verdicts) => results.extend(verdicts.into_iter().map(Ok)),
            // Nothing of the part was stored. Its halves show which record is refused.
            Err(StoreError::Refused(_)) if part.len() > 1 => {
                let middle = part.start + part.len() / 2;
                parts.extend([middle..part.end, part.start..middle]);
            }
            Err(error) => results.extend(part.map(|_| Err(error.clone()))),
        }
    }
    results
}
