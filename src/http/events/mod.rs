//! `GET /v1/events`: what happens, as Server-Sent Events (the HTML standard, section 9.2).

mod feeding;
pub mod frame;
pub mod stream;
pub mod viewers;
