//! The feed as Server-Sent Events: an answer that goes on with what is signed while it is sent.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_web::{
    Error, HttpResponse,
    http::header::CONTENT_TYPE,
    web::{Bytes, Data},
};
use futures_util::stream::{Stream, unfold};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::{
    options::Wanted,
    pages::{Page, Pages},
    refused,
    streaming::{Shared, with},
};
use crate::{
    domain::Scope,
    http::{
        app::App,
        caller::{self, Caller},
        events::frame::{COMMENT, RETRY},
        limits::Place,
        problem::{Kind, Problem},
        waits::{self, ANY},
    },
    store::Store,
};

/// After how much silence a comment is sent. Many proxies close a connection after 30 to 60 seconds of it.
const SILENCE: Duration = Duration::from_secs(15);

/// One client that follows.
pub struct Following {
    app: App,
    caller: Caller,
    pages: Shared,
    /// Whether all is sent that was there at the last look.
    is_at_end: bool,
    is_begun: bool,
    _place: Place,
}

impl Following {
    /// Begins to answer.
    ///
    /// # Errors
    /// When too many clients follow, or the feed does not have the position; those of the store.
    pub async fn begin(app: &Data<App>, caller: Caller, wanted: Wanted) -> Result<HttpResponse, Problem> {
        if wanted.limit.is_some() || !wanted.wait.is_zero() {
            let detail = "Server-Sent Events do not end, so that they take no limit and no wait.";
            return Err(Problem::because(Kind::InvalidRequest, detail));
        }
        let place = app.limits().followers.take().await?;
        let begin = move |store: &dyn Store| Pages::begin(store, wanted);
        let (pages, _) = app.read(begin).await?.map_err(refused)?;
        let (app, pages) = (App::clone(app), Arc::new(Mutex::new(pages)));
        let following = Self { app, caller, pages, is_at_end: false, is_begun: false, _place: place };
        Ok(HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "text/event-stream"))
            .insert_header(("X-Accel-Buffering", "no"))
            .streaming(following.stream()))
    }

    fn stream(self) -> impl Stream<Item = Result<Bytes, Error>> {
        unfold(self, async |mut following| {
            let next = following.next().await?;
            Some((Ok(next), following))
        })
    }

    /// What is sent next; `None` at the end, after which the client connects again and goes on.
    async fn next(&mut self) -> Option<Bytes> {
        if !std::mem::replace(&mut self.is_begun, true) {
            return Some(RETRY);
        }
        let silence = Instant::now() + SILENCE;
        loop {
            if !caller::is_in_force(&self.caller, Scope::Read, &self.app).await {
                return None;
            }
            if self.is_at_end && !self.has_more(silence).await? {
                if Instant::now() >= silence {
                    return Some(COMMENT);
                }
                continue;
            }
            let Page { text, is_last } =
                with(&self.app, &self.pages, |pages, store| pages.next(store)).await.ok()?;
            self.is_at_end = is_last;
            if !text.is_empty() {
                return Some(text.into());
            }
        }
    }

    /// Waits until the feed may have more, but no longer than until `silence`, and looks. `None` is the end.
    async fn has_more(&self, silence: Instant) -> Option<bool> {
        let end = self.caller.expires_at();
        let waits = self.app.waits();
        // Many that follow look less often, so that all of them do not use up the database.
        sleep(waits.gap()).await;
        let Ok(place) = waits.place() else { return Some(false) };
        let look = async || {
            let look =
                with(&self.app, &self.pages, |pages, store| pages.look(store)).await?.map_err(refused)?;
            Ok(look.then_some(()))
        };
        let waited = place.wait(ANY, waits::LOOK, self.app.stopping().begun(), look);
        tokio::select! {
            biased;
            () = self.app.stopping().begun() => None,
            () = sleep_until(end.unwrap_or(silence)), if end.is_some() => None,
            waited = timeout_at(silence, waited) => match waited {
                Ok(Ok(seen)) => Some(seen.is_some()),
                Ok(Err(_)) => None,
                Err(_) => Some(false),
            },
        }
    }
}
