//! Layer 2, PostgreSQL servers as libpq reaches them: their addresses, and connections that are bounded in time and tell a
//! server that is away from one that refuses. `anchors` and `store` say what runs on them.

mod address;
mod connection;
mod error;
pub mod percent;
mod rejection;
mod session;
mod startup;
mod waits;

pub use address::{check, is_key_value, names_password, shown, url_of};
pub use connection::{connect, refuse_pooler};
pub use error::{ConnectError, one_line};
pub use session::ALWAYS;
pub use waits::Waits;
