//! The stream of events to one client.

use std::{collections::VecDeque, time::Duration};

use actix_web::{
    Error, HttpRequest, HttpResponse,
    http::header::CONTENT_TYPE,
    web::{Bytes, Data},
};
use futures_util::stream::{Stream, unfold};
use serde::Deserialize;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, sleep_until},
};
use utoipa::IntoParams;

use super::{
    feeding::feed,
    frame::{COMMENT, Frame, KINDS, RETRY, number},
    viewers::Viewer,
};
use crate::{
    actors::events::Happened,
    domain::Scope,
    http::{
        app::App,
        caller::{self, Caller},
        limits::Place,
        problem::{Kind, Problem},
        query::Query,
    },
};

/// After how much silence a comment is sent. Many proxies close a connection after 30 to 60 seconds of it.
const SILENCE: Duration = Duration::from_secs(15);

/// How often it is checked that the client's token was not revoked.
const CHECK: Duration = Duration::from_secs(5);

/// Which events to send.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Kinds of events, separated by commas: status, signed, key-suspended, fenced, refused, database-away,
    /// database-back. Usually all.
    types: Option<String>,
}

/// What happens, as Server-Sent Events.
///
/// The event `status` comes each second, with the object of `GET /v1/status`. `signed` names the batches that this
/// process has stored. The others are about this process and its view of the database; they have a time and an id, and a
/// client that sends the id as Last-Event-ID gets those that it missed, 256 at most. The stream ends when the token expires or the
/// service stops.
#[utoipa::path(
    get,
    path = "/v1/events",
    operation_id = "events",
    tag = "status",
    params(
        Filter,
        ("Last-Event-ID" = Option<String>, Header, nullable = false, description = "The id of the last event that the client saw"),
    ),
    responses(
        (status = 200, description = "The events", body = String, content_type = "text/event-stream"),
        (status = 503, description = "A hundred clients look already"),
    )
)]
pub async fn events(
    request: HttpRequest,
    app: Data<App>,
    caller: Caller,
    Query(filter): Query<Filter>,
) -> Result<HttpResponse, Problem> {
    app.stopping().refuse()?;
    let kinds = kinds(filter.types.as_deref())?;
    let place = app.limits().viewers.take().await?;
    let (viewer, frames) = app.viewers().add();
    if app.viewers().must_feed() {
        actix_rt::spawn(feed(App::clone(&app), app.commits().listen()));
    }
    let run = app.viewers().run();
    let seen = request.headers().get("last-event-id").and_then(|id| id.to_str().ok());
    // A client without an id wants the present. One that saw another process gets all that this one remembers.
    let seen = seen.map_or_else(|| app.events().last(), |id| number(run, id).unwrap_or(0));
    let (missed, happened) = app.events().after(seen);
    let mut view = View {
        waiting: VecDeque::from([RETRY]),
        run,
        kinds,
        frames,
        happened,
        check_at: Instant::now() + CHECK,
        caller,
        app: App::clone(&app),
        _viewer: viewer,
        _place: place,
    };
    missed.iter().for_each(|missed| view.push(&Frame::lasting(run, missed)));
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(view.stream()))
}

/// The kinds that a client wants.
fn kinds(types: Option<&str>) -> Result<Vec<&'static str>, Problem> {
    let Some(types) = types else { return Ok(KINDS.to_vec()) };
    let known = |name: &str| KINDS.into_iter().find(|kind| *kind == name);
    let kinds: Option<Vec<_>> = types.split(',').map(known).collect();
    kinds.ok_or(Problem::because(Kind::InvalidRequest, "The reference lists the types of events."))
}

/// What one client gets.
struct View {
    /// What is to be sent before anything else.
    waiting: VecDeque<Bytes>,
    run: u32,
    kinds: Vec<&'static str>,
    frames: Receiver<Frame>,
    happened: Receiver<Happened>,
    /// Who looks.
    caller: Caller,
    /// When it is checked that its token was not revoked.
    check_at: Instant,
    app: App,
    _viewer: Viewer,
    _place: Place,
}

impl View {
    fn stream(self) -> impl Stream<Item = Result<Bytes, Error>> {
        unfold(self, async |mut view| {
            let next = view.next().await?;
            Some((Ok(next), view))
        })
    }

    /// What is sent next; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        let silence = Instant::now() + SILENCE;
        loop {
            if let Some(text) = self.waiting.pop_front() {
                return Some(text);
            }
            let end = self.caller.expires_at();
            tokio::select! {
                biased;
                () = self.app.stopping().begun() => return None,
                () = sleep_until(end.unwrap_or(silence)), if end.is_some() => return None,
                () = sleep_until(self.check_at) => {
                    if !caller::is_in_force(&self.caller, Scope::Read, &self.app).await {
                        return None;
                    }
                    self.check_at = Instant::now() + CHECK;
                }
                happened = self.happened.recv() => match happened {
                    Ok(happened) => self.push(&Frame::lasting(self.run, &happened)),
                    Err(RecvError::Lagged(_)) => {} // the next id shows the gap
                    Err(RecvError::Closed) => return None,
                },
                frame = self.frames.recv() => match frame {
                    Ok(frame) => self.push(&frame),
                    Err(RecvError::Lagged(_)) => {} // a newer status follows
                    Err(RecvError::Closed) => return None,
                },
                () = sleep_until(silence) => return Some(COMMENT),
            }
        }
    }

    fn push(&mut self, frame: &Frame) {
        if self.kinds.contains(&frame.kind) {
            self.waiting.push_back(frame.text.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_kinds_can_be_chosen() {
        assert_eq!(kinds(None), Ok(KINDS.to_vec()));
        assert_eq!(kinds(Some("fenced,status")), Ok(vec!["fenced", "status"]));
        for types in ["", "fenced,", "all", "Status"] {
            assert!(kinds(Some(types)).is_err(), "{types}");
        }
    }
}
