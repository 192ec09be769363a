//! Parts: what a run is put together from.

use std::sync::Arc;

use super::{commits::Commits, counters::Counters, mode::Mode, news::News, stop::Stop};
use crate::{config::Settings, signer::OpenSigner};

/// What a run is put together from, besides its database. The last four are shared with the caller, who looks
/// at them, or speaks through them, while the run goes on; they outlive it.
#[derive(Clone)]
pub struct Parts {
    /// How it works.
    pub settings: Settings,
    /// What opens its keys.
    pub opener: Arc<dyn OpenSigner>,
    /// When it ends by itself, and what of the work it does.
    pub mode: Mode,
    /// Tells it to stop.
    pub stop: Stop,
    /// What it has done so far.
    pub counters: Arc<Counters>,
    /// Tells it of new records.
    pub news: News,
    /// Tells of what it has stored.
    pub commits: Commits,
}

impl Parts {
    /// The parts of a run that nobody stops, watches or hears yet.
    pub fn new(settings: Settings, opener: Arc<dyn OpenSigner>, mode: Mode) -> Self {
        Self {
            settings,
            opener,
            mode,
            stop: Stop::default(),
            counters: Arc::default(),
            news: News::default(),
            commits: Commits::default(),
        }
    }
}
