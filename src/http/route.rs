//! Routes: what an entry of the table in [`routes`](super::routes) says.

use std::fmt;

use actix_web::{Route, guard, http::Method};

use crate::domain::Scope;

/// One thing that the service answers.
pub struct Entry {
    /// The method. HEAD is answered where GET is.
    pub method: Method,
    /// The path, with `{name}` for its variable parts.
    pub pattern: &'static str,
    /// What a client needs to be answered by the API. The other listener is for the operator's own programs, and
    /// asks for nothing.
    pub needs: Needs,
    /// Where it is answered.
    pub at: Surface,
    pub(super) handler: fn(Route) -> Route,
}

/// The two groups of listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// The API.
    Api,
    /// Health and metrics, which must answer while the API is overloaded. They are part of the API, too.
    Admin,
}

impl fmt::Display for Surface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Api => "the API answers",
            Self::Admin => "health and metrics answer",
        })
    }
}

impl Entry {
    /// What a client needs to be answered at `surface`.
    pub fn needs_at(&self, surface: Surface) -> Needs {
        if surface == Surface::Admin { Needs::Nothing } else { self.needs }
    }

    /// How actix answers it.
    pub(super) fn route(&self) -> Route {
        let route = Route::new();
        (self.handler)(match self.method {
            Method::GET => route.guard(guard::Any(guard::Get()).or(guard::Head())),
            ref method => route.method(method.clone()),
        })
    }
}

/// What a client needs to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: anybody is answered.
    Nothing,
    /// A token, a session or a client certificate with this scope.
    Scope(Scope),
    /// The cookie of a session, whatever its scopes.
    Session,
}

/// The pattern that a request's path matches.
#[derive(Clone, Copy)]
pub struct Matched(pub &'static str);
