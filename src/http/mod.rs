//! Layer 4, the HTTP API, beside the command line: what other programs ask of the service.
//!
//! ```text
//!  socket ──▶ connection (deadlines) ──▶ actix ──▶ edge (request id, host) ──▶ gate (token, scope) ──▶ handler
//! ```
//!
//! Start with [`routes`], the table of everything that is answered, and [`problem`], the list of all errors.

mod accept;
mod admin;
mod answer;
mod app;
mod body;
mod budget;
mod bulk;
mod bundles;
mod caller;
mod connection;
mod dashboard;
mod docs;
mod edge;
mod etag;
mod events;
mod failing;
mod feed;
mod gate;
mod health;
mod history;
pub mod idempotency_key;
mod json;
mod keys;
mod ledger;
mod limits;
mod listener;
mod media_type;
mod meters;
mod metrics;
mod names;
pub mod openapi;
mod origin;
mod pace;
mod payload_limit;
pub mod prefer;
pub mod problem;
mod problems;
pub mod query;
mod rates;
mod reading;
mod request_id;
mod route;
pub mod routes;
mod running;
mod server;
mod session;
mod shapes;
mod snapshot;
mod status;
mod stopping;
mod submit;
mod tls;
mod tokens;
mod waits;
mod webhooks;

pub use app::App;
pub use edge::Hosts;
pub use listener::{Access, ListenError, Listener};
pub use problem::Problem;
pub use route::{Needs, Surface};
pub use routes::ROUTES;
pub use running::Running;
pub use server::Server;
pub use session::terminal::Terminal;
pub use tls::{Files as TlsFiles, Identity, TlsError};
