//! Whether the engine may be used on this machine: the processor is asked, and known answers are computed, once.

use std::sync::{Once, OnceLock};

use signwave_lanes::{Refused, SelfTestFailed, self_test};

use super::super::SignerError;
use crate::domain::Fingerprint;

/// Whether this processor has AVX-512 F, VL, BW, DQ and IFMA.
pub(in super::super) fn is_supported() -> bool {
    signwave_lanes::is_supported()
}

/// Whether the engine can be used. Its kernels are tested with known answers when this is first called, which takes about
/// 20 ms. A processor that lacks AVX-512 IFMA is logged then.
///
/// # Errors
/// When an answer is wrong. aws-lc does not step in, because the machine itself may be broken.
pub(in super::super) fn ready() -> Result<bool, SignerError> {
    static READY: OnceLock<Result<bool, SignerError>> = OnceLock::new();
    READY.get_or_init(|| judge(is_supported(), self_test)).clone()
}

pub(super) fn judge(
    is_supported: bool,
    self_test: impl FnOnce() -> Result<(), SelfTestFailed>,
) -> Result<bool, SignerError> {
    if !is_supported {
        log::warn!(
            "this processor lacks AVX-512 IFMA, which the lanes engine needs: aws-lc signs and verifies in its place"
        );
        return Ok(false);
    }
    self_test().map(|()| true).map_err(|SelfTestFailed { bits }| SignerError::SelfTest { bits })
}

/// The opened key, or `None` if aws-lc must be used because of the size of the key or its primes. The first such key is
/// logged.
///
/// # Errors
/// When the engine finds the key inconsistent.
pub(super) fn if_it_fits<T>(opened: Result<T, Refused>, key: Fingerprint) -> Result<Option<T>, SignerError> {
    static TOLD: Once = Once::new();
    match opened {
        Ok(key) => Ok(Some(key)),
        Err(reason @ (Refused::Processor | Refused::Size | Refused::Lengths)) => {
            TOLD.call_once(|| {
                log::info!(
                    "aws-lc is used for key {key}, and for others that do not fit the lanes engine: {reason}"
                );
            });
            Ok(None)
        }
        Err(_) => Err(refused(key)),
    }
}

/// The engine, or aws-lc beside it, does not accept the key.
pub(super) fn refused(key: Fingerprint) -> SignerError {
    SignerError::Engine { engine: "lanes", fingerprint: key }
}
