//! Sessions of the dashboard: a browser signs in once, and then has a cookie instead of a token.
//!
//! ```text
//!  POST /v1/session ──▶ attempts ──▶ token or code of the link ──▶ row of a session ──▶ cookie
//!  any request with the cookie ──▶ cross_site ──▶ the session's scopes, as those of any token
//! ```

pub mod attempts;
pub mod cookie;
pub mod cross_site;
pub mod current;
pub mod sign_in;
pub mod terminal;
