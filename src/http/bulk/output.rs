//! The answer to a bulk request: the report as a stream, which the connection reads as fast as its client does.

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use actix_rt::task::JoinHandle;
use actix_web::{Error, web::Bytes};
use futures_util::Stream;
use tokio::sync::Notify;

use super::report::Report;

/// What has been found out, between the task that stores and the connection that sends.
pub struct Shared {
    /// The verdicts that wait to be sent.
    pub report: RefCell<Report>,
    /// The last line, once it is known.
    last: RefCell<Option<Vec<u8>>>,
    is_ended: Cell<bool>,
    sender: RefCell<Option<Waker>>,
    taken: Notify,
}

impl Shared {
    /// A report that has not been read.
    pub fn new(report: Report) -> Rc<Self> {
        let (last, is_ended, sender) = (RefCell::default(), Cell::new(false), RefCell::default());
        Rc::new(Self { report: RefCell::new(report), last, is_ended, sender, taken: Notify::new() })
    }

    /// Has the connection look, because there is more to send.
    pub fn wake(&self) {
        if let Some(sender) = self.sender.take() {
            sender.wake();
        }
    }

    /// Sets the last line.
    pub fn finish(&self, line: Vec<u8>) {
        self.last.replace(Some(line));
        self.wake();
    }

    /// Ends the stream behind what is still to be sent.
    pub fn end(&self) {
        self.is_ended.set(true);
        self.wake();
    }

    /// Returns when the connection has taken what waited.
    pub async fn taken(&self) {
        self.taken.notified().await;
    }
}

/// The body of the answer. Dropping it ends the task that stores.
pub struct Output {
    shared: Rc<Shared>,
    task: JoinHandle<()>,
}

impl Output {
    /// What `task` reports in `shared`.
    pub fn new(shared: Rc<Shared>, task: JoinHandle<()>) -> Self {
        Self { shared, task }
    }
}

impl Drop for Output {
    /// A transaction that has begun ends anyway. The client, which has no verdict, sends the lines again.
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stream for Output {
    type Item = Result<Bytes, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let shared = &self.shared;
        let mut text = shared.report.borrow_mut().take();
        shared.taken.notify_one();
        text.extend(shared.last.take().unwrap_or_default());
        if !text.is_empty() {
            return Poll::Ready(Some(Ok(text.into())));
        }
        if shared.is_ended.get() {
            return Poll::Ready(None);
        }
        shared.sender.replace(Some(cx.waker().clone()));
        Poll::Pending
    }
}
