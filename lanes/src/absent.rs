//! The engine for processors of other architectures: there is none.

use crate::{Components, LANES, Refused, SignError};

/// Evidence of a fitting processor, which does not exist.
#[derive(Clone, Copy)]
pub(crate) enum Cpu {}

impl Cpu {
    pub(crate) fn detect() -> Option<Self> {
        None
    }
}

/// A private key that cannot be opened.
pub(crate) enum Private {}

impl Private {
    pub(crate) fn new(cpu: Cpu, _: &Components<'_>, _: u64) -> Result<Self, Refused> {
        match cpu {}
    }

    pub(crate) fn exponentiate(&self, _: &[u8], _: &mut [u8]) -> Result<(), SignError> {
        match *self {}
    }
}

/// A public key that cannot be opened.
pub(crate) enum Public {}

impl Public {
    pub(crate) fn new(cpu: Cpu, _: &[u8], _: u64) -> Result<Self, Refused> {
        match cpu {}
    }

    pub(crate) fn exponentiate(&self, _: &[u8], _: &mut [u8]) -> [bool; LANES] {
        match *self {}
    }
}
