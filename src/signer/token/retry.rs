//! How often a token that fails is opened again.

use std::time::Duration;

/// How long to wait between two attempts to open a token that has failed for so long. A token that was only plugged in
/// again, or restarted, signs within two seconds.
pub(super) fn pause(fails_for: Duration) -> Duration {
    match fails_for.as_secs() {
        0..300 => Duration::from_secs(1),
        300..600 => Duration::from_secs(5),
        _ => Duration::from_secs(30),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_comes_back_soon_is_found_soon() {
        let pauses =
            [0, 299, 300, 599, 600, 86_400].map(|failed| pause(Duration::from_secs(failed)).as_secs());
        assert_eq!(pauses, [1, 1, 5, 5, 30, 30]);
    }
}
