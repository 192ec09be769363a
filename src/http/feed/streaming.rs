//! Sends the pages of an answer. Each is read while the one before it is sent.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix_rt::{task::JoinHandle, time::sleep};
use actix_web::{Error, web::Bytes};
use futures_util::stream::{Stream, unfold};
use tokio::task::yield_now;

use super::pages::{Page, Pages};
use crate::{
    domain::Scope,
    http::{
        app::App,
        caller::{self, Caller},
        limits::Place,
        problem::{Kind, Problem},
    },
    store::{Store, StoreError},
};

/// The pause after which a page is tried again, when too many others read.
const AGAIN: Duration = Duration::from_millis(100);

/// Pages that the threads of the database write to.
pub type Shared = Arc<Mutex<Pages>>;

/// An answer that is being sent.
pub struct Streaming {
    app: App,
    caller: Caller,
    pages: Shared,
    /// The next page, which is being read; `None` after the last one.
    next: Option<JoinHandle<Result<Page, Problem>>>,
    _place: Place,
}

impl Streaming {
    /// An answer of which nothing was sent yet.
    pub fn new(app: &App, caller: Caller, pages: Pages, place: Place) -> Self {
        let pages = Arc::new(Mutex::new(pages));
        let next = Some(read(app, &pages));
        Self { app: app.clone(), caller, pages, next, _place: place }
    }

    /// The pages from `first` on. An error cuts the connection off, so that the client sees that something is missing.
    pub fn stream(self, first: Bytes) -> impl Stream<Item = Result<Bytes, Error>> {
        let first = Some(first).filter(|first| !first.is_empty());
        unfold((first, self), async |(first, mut streaming)| {
            if let Some(first) = first {
                return Some((Ok(first), (None, streaming)));
            }
            loop {
                streaming.next.as_ref()?;
                match streaming.page().await {
                    // Nothing is sent for an empty page, because an empty chunk would be the end of the body.
                    Ok(page) if page.is_empty() => {}
                    page => return Some((page.map_err(Error::from), (None, streaming))),
                }
            }
        })
    }

    /// The next page. The one after it is read from now on.
    ///
    /// # Errors
    /// Those of the store; when the token was revoked, or the service stops.
    pub async fn page(&mut self) -> Result<Bytes, Problem> {
        let next = self.next.take().ok_or(Problem::new(Kind::Internal))?;
        let Page { text, is_last } = next.await.map_err(|_| Problem::new(Kind::Internal))??;
        if !caller::is_in_force(&self.caller, Scope::Read, &self.app).await {
            return Err(Problem::new(Kind::InvalidToken));
        }
        if !is_last {
            self.next = Some(read(&self.app, &self.pages));
            yield_now().await; // it begins before this page is sent
        }
        Ok(text.into())
    }
}

/// Begins to read a page.
fn read(app: &App, pages: &Shared) -> JoinHandle<Result<Page, Problem>> {
    let (app, pages) = (app.clone(), Arc::clone(pages));
    actix_rt::spawn(async move { with(&app, &pages, |pages, store| pages.next(store)).await })
}

/// Calls `read` on a database thread. When too many others read, it waits: an answer that has begun must not end because
/// of them.
///
/// # Errors
/// Those of the store; when the service stops.
pub async fn with<T: Send + 'static>(
    app: &App,
    pages: &Shared,
    read: fn(&mut Pages, &dyn Store) -> Result<T, StoreError>,
) -> Result<T, Problem> {
    loop {
        app.stopping().refuse()?;
        let pages = Arc::clone(pages);
        let call =
            move |store: &dyn Store| read(&mut pages.lock().unwrap_or_else(PoisonError::into_inner), store);
        match app.read(call).await {
            Err(problem) if problem.kind == Kind::Overloaded => sleep(AGAIN).await,
            answer => return answer,
        }
    }
}
