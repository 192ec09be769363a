//! Parts: everything that a run consists of, besides its database.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    commits::Commits, counters::Counters, events::Events, mode::Mode, news::News, share::Shares, stop::Stop,
    vitals::Vitals,
};
use crate::{config::Settings, signer::OpenSigner};

/// Everything that a run consists of, besides its database. The last six parts are shared with the caller, who can
/// read or use them during the run and afterwards.
#[derive(Clone)]
pub struct Parts {
    /// The settings of the run.
    pub settings: Settings,
    /// Opens the keys.
    pub opener: Arc<dyn OpenSigner>,
    /// When the run ends by itself, and which parts of the work it does.
    pub mode: Mode,
    /// Asks the run to stop.
    pub stop: Stop,
    /// What the run has done so far.
    pub counters: Arc<Counters>,
    /// Notifies the run of new records.
    pub news: News,
    /// Notifies callers of stored batches.
    pub commits: Commits,
    /// Remembers what happens seldom.
    pub events: Events,
    /// Shows how the run is.
    pub vitals: Vitals,
}

impl Parts {
    /// The signing threads of the run: none where it only forms batches.
    pub fn signing_threads(&self) -> usize {
        if self.mode.roles().signs() { self.settings.signers } else { 0 }
    }

    /// The shares of the run: only that of the signing threads where it only forms batches.
    pub fn shares(&self) -> Shares {
        let sessions = if self.mode.roles().signs() { self.opener.sessions() } else { BTreeMap::new() };
        Shares::new(self.signing_threads(), sessions)
    }

    /// Parts with a new stop, new counters, and new notifications, which nothing else uses yet.
    pub fn new(settings: Settings, opener: Arc<dyn OpenSigner>, mode: Mode) -> Self {
        Self {
            settings,
            opener,
            mode,
            stop: Stop::default(),
            counters: Arc::default(),
            news: News::default(),
            commits: Commits::default(),
            events: Events::default(),
            vitals: Vitals::default(),
        }
    }
}
