//! What the engine that is not in use would bring on this machine, for `demo` and `status`.

use std::time::Duration;

use anyhow::Result;

use super::raw::RawSpeed;
use crate::{
    config::Settings,
    signer::{Engine, Keyring},
    store::Store,
};

/// How long the other engine is measured, each time.
const SLICE: Duration = Duration::from_millis(500);

/// The line of `status`, on a processor that the lanes engine fits but does not sign on.
pub fn hint(signer: Engine) -> Option<&'static str> {
    let is_idle = signer != Engine::Lanes && Engine::Lanes.is_supported();
    is_idle
        .then_some("this CPU has AVX-512 IFMA, for '--signer lanes': 'signwave demo' measures what it brings")
}

/// The speed of `lanes`, or of aws-lc where `lanes` signs, with the keys of a run.
pub struct OtherEngine {
    signer: Engine,
    raw: RawSpeed,
}

impl OtherEngine {
    /// Opens every active key with the other engine. `None` if the lanes engine fits neither this processor nor keys of
    /// `bits` bits, or fails its test.
    pub fn open(
        store: &dyn Store,
        keyring: &Keyring,
        settings: &Settings,
        bits: u32,
    ) -> Result<Option<Self>> {
        if !Engine::Lanes.is_supported() || ![2048, 3072, 4096].contains(&bits) {
            return Ok(None);
        }
        if let Err(error) = Engine::Lanes.prepare() {
            log::warn!("{error}");
            return Ok(None);
        }
        let other = if settings.signer == Engine::Lanes { Engine::AwsLc } else { Engine::Lanes };
        let raw = RawSpeed::open(store, &keyring.with_engine(other), settings)?;
        Ok(Some(Self { signer: settings.signer, raw }))
    }

    /// Measures for half a second. Callers must do so in turns with the engine that signs.
    pub fn measure(&mut self) -> Result<()> {
        self.raw.measure(SLICE)
    }

    /// The line of `demo`, with the raw speed of the engine that signs, in signatures per second.
    pub fn line(&self, raw: f64) -> String {
        let other = self.raw.per_second();
        if self.signer == Engine::Lanes {
            format!(
                "aws-lc      {other:.0} signatures/s without a database: lanes is {:.2} times as fast",
                raw / other
            )
        } else {
            format!(
                "lanes       {other:.0} signatures/s without a database: this CPU has AVX-512 IFMA, and --signer lanes is \
                 {:.2} times as fast",
                other / raw
            )
        }
    }
}
