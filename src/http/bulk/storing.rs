//! Stores the lines of a bulk request, while the next ones come in.
//!
//! One transaction at a time, and no timer: while it runs, the next chunk gathers. When that is full, the body is left
//! unread, so that the client's socket holds it back.

use std::{pin::Pin, rc::Rc, time::Duration};

use serde::Serialize;
use tokio::sync::oneshot;

use super::{
    chunk::Chunk,
    input::{End, Input},
    output::Shared,
    report::Tally,
};
use crate::{
    actors::{intake::insert, messages::Incoming},
    domain::InsertVerdict,
    http::{
        app::App,
        limits::Place,
        problem::{Kind, Problem},
        request_id::RequestId,
    },
    store::{OnConflict, StoreError},
};

/// How long the rest of a body is read after a failure, for clients that send everything before they read.
const DISCARDING: Duration = Duration::from_secs(30);

/// The same while the answer has not begun, and so a client that reads has to wait for it.
const DISCARDING_BEFORE: Duration = Duration::from_secs(5);

/// The task that stores.
pub struct Storing {
    pub app: App,
    pub input: Input,
    pub on_conflict: OnConflict,
    pub shared: Rc<Shared>,
    pub request: RequestId,
    /// Told of the first commit, or of the problem that came before it: until then the answer may be an error.
    pub started: Option<oneshot::Sender<Result<(), Problem>>>,
    /// The stream's place among all streams.
    pub _place: Place,
}

/// A transaction under way.
struct Running {
    insert: Pin<Box<dyn Future<Output = Result<Vec<InsertVerdict>, StoreError>>>>,
    lines: Vec<u64>,
    bytes: usize,
}

impl Storing {
    /// Stores all lines, and reports to the client.
    pub async fn run(mut self) {
        let end = self.store().await;
        if let End::Failed(problem, _) = &end
            && self.started.is_some()
        {
            // The problem is the whole answer.
            self.discard(DISCARDING_BEFORE).await;
            return self.start(Err(problem.clone()));
        }
        self.start(Ok(()));
        self.shared.finish(self.last_line(&end));
        if end != End::Complete {
            self.discard(DISCARDING).await;
        }
        self.shared.end();
    }

    /// Reads the rest of the body and drops it: a connection that is closed before is reset, and its client may not
    /// see the answer.
    async fn discard(&mut self, time: Duration) {
        tokio::select! {
            () = self.input.discard(time) => {}
            () = self.app.stopping().begun() => {}
        }
    }

    async fn store(&mut self) -> End {
        let (mut chunk, mut running) = (Chunk::default(), None::<Running>);
        let stopping = self.app.stopping().clone();
        loop {
            self.input.fill(&mut chunk);
            if running.is_none() {
                match self.input.end() {
                    _ if !chunk.is_empty() => running = Some(self.begin(&mut chunk)),
                    Some(end) => return end.clone(),
                    None => {}
                }
            }
            let is_held_up = self.shared.report.borrow().is_full();
            let wants_more = self.input.end().is_none() && !chunk.is_full() && !is_held_up;
            let others = chunk.bytes() + running.as_ref().map_or(0, |running| running.bytes);
            let affords = wants_more && self.input.affords_piece(others);
            if wants_more && !affords && running.is_none() {
                self.input.stop(Problem::overloaded());
                continue;
            }
            tokio::select! {
                biased;
                result = stored(&mut running), if running.is_some() => {
                    let lines = running.take().map(|running| running.lines).unwrap_or_default();
                    if let Some(end) = self.heard(result, &lines) {
                        return end;
                    }
                }
                piece = self.input.piece(), if affords => self.input.add(piece),
                () = self.shared.taken(), if is_held_up => {}
                () = stopping.begun(), if self.input.end().is_none() => {
                    self.input.stop(Problem::new(Kind::Stopping).retry_after(1));
                }
            }
        }
    }

    /// Begins the transaction of a chunk.
    ///
    /// What if we die here? The chunk is stored as a whole or not at all. The client has no verdict on it yet, and
    /// sends it again.
    fn begin(&self, chunk: &mut Chunk) -> Running {
        let bytes = chunk.bytes();
        let (records, lines): (Vec<Incoming>, _) = chunk.take();
        let inserts = self.app.inserts().clone();
        let on_conflict = self.on_conflict;
        Running {
            insert: Box::pin(async move { insert(&inserts, records, on_conflict).await }),
            lines,
            bytes,
        }
    }

    /// Reports the verdicts on these lines. Returns the end of the stream if they are the last ones.
    fn heard(&mut self, result: Result<Vec<InsertVerdict>, StoreError>, lines: &[u64]) -> Option<End> {
        let verdicts = match result {
            Ok(verdicts) => verdicts,
            Err(error) => return Some(End::Failed(error.into(), lines.first().copied().unwrap_or(1))),
        };
        if verdicts.iter().any(|verdict| matches!(verdict, InsertVerdict::Inserted(_))) {
            self.app.news().tell();
        }
        let mut report = self.shared.report.borrow_mut();
        for (line, verdict) in lines.iter().zip(&verdicts) {
            report.add(*line, *verdict);
        }
        drop(report);
        self.shared.wake();
        self.start(Ok(()));
        match (self.on_conflict, lines.iter().zip(&verdicts).next_back()) {
            (OnConflict::Stop, Some((line, InsertVerdict::Conflict))) => {
                let problem = Problem::because(Kind::ExternalIdConflict, format!("Line {line}."));
                Some(End::Failed(problem, *line))
            }
            _ => None,
        }
    }

    /// Tells the handler once how the answer begins.
    fn start(&mut self, result: Result<(), Problem>) {
        if let Some(started) = self.started.take() {
            // If the handler has gone, its client has, too.
            let _ = started.send(result);
        }
    }

    fn last_line(&self, end: &End) -> Vec<u8> {
        let tally = self.shared.report.borrow().tally();
        let line = match end {
            End::Complete => {
                let lines = self.input.lines();
                serde_json::to_vec(&Done { done: true, ok: tally.is_ok(), lines, tally })
            }
            End::Failed(problem, line) => {
                let problem = serde_json::from_slice(&problem.body(self.request.as_str()));
                problem.and_then(|problem| {
                    serde_json::to_vec(&Cut { done: false, problem, resume_line: *line, tally })
                })
            }
        };
        let mut line = line.expect("numbers and texts can be written as JSON");
        line.push(b'\n');
        line
    }
}

async fn stored(running: &mut Option<Running>) -> Result<Vec<InsertVerdict>, StoreError> {
    match running {
        Some(running) => running.insert.as_mut().await,
        None => std::future::pending().await,
    }
}

/// The last line when the body was read to its end.
#[derive(Serialize)]
struct Done {
    done: bool,
    ok: bool,
    lines: u64,
    #[serde(flatten)]
    tally: Tally,
}

/// The last line when it was not.
#[derive(Serialize)]
struct Cut {
    done: bool,
    problem: serde_json::Value,
    resume_line: u64,
    #[serde(flatten)]
    tally: Tally,
}
