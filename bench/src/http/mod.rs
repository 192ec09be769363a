//! The HTTP API: a service that runs as a process, and clients over real sockets.

mod beside;
mod client;
mod dashboard;
mod overload;
mod read;
mod service;
mod submit;

use anyhow::Result;

pub use beside::beside;
pub use client::{get, percentile};
pub use dashboard::dashboard;
pub use overload::overload;
pub use service::{LIMIT, Place};

use crate::{
    figure::Figure,
    lab::{Lab, Template},
};

/// The figures of the API.
pub fn figures(lab: &Lab, template: &Template, repeat: u16) -> Result<Vec<Figure>> {
    let mut figures = read::read(lab, repeat)?;
    figures.extend(submit::submit(lab, template, repeat)?);
    Ok(figures)
}
