//! Luck: the results of the last attempts to lease, and the pause before the next.

use std::time::Duration;

/// The result of the last attempts to lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Luck {
    /// As many batches were leased as Emit had promised.
    Fair,
    /// Some batches were leased, but fewer than Emit had promised.
    Short,
    /// So many times in a row, other nodes were faster, and none of the promised batches could be leased.
    Beaten(u32),
    /// No key may sign.
    Keyless,
}

impl Luck {
    /// Notes that `leased` of the `promised` batches were leased. If none were, returns how long to wait.
    pub fn leased(&mut self, leased: usize, promised: usize) -> Option<Duration> {
        let times = if let Self::Beaten(times) = self { *times } else { 0 };
        *self = match leased {
            // That nothing was promised says nothing of keys.
            0 if promised == 0 && *self == Self::Keyless => Self::Keyless,
            leased if leased >= promised => Self::Fair,
            0 => Self::Beaten(times + 1),
            _ => Self::Short,
        };
        matches!(self, Self::Beaten(_)).then(|| pause_after(times))
    }

    /// Notes that no key may sign. Returns whether that is new.
    pub fn found_no_key(&mut self) -> bool {
        std::mem::replace(self, Self::Keyless) != Self::Keyless
    }

    /// Whether what Emit believes about open batches is out of date.
    pub fn was_short(self) -> bool {
        matches!(self, Self::Short | Self::Beaten(_))
    }
}

/// The pause is 2 ms, and doubles each time up to a second. If other nodes were only faster, the next attempt soon
/// succeeds. If they hold every key, it takes longer.
fn pause_after(beaten_before: u32) -> Duration {
    const FIRST_MS: u64 = 2;
    const DOUBLINGS: u32 = 9;
    Duration::from_millis(FIRST_MS << beaten_before.min(DOUBLINGS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_that_others_leave_nothing_the_pause_is_twice_as_long_up_to_a_second() {
        let (mut luck, ms) = (Luck::Fair, |ms| Some(Duration::from_millis(ms)));
        let pauses: Vec<_> = (0..12).map(|_| luck.leased(0, 3)).collect();
        assert_eq!(pauses[..4], [ms(2), ms(4), ms(8), ms(16)]);
        assert_eq!(pauses[8..], [ms(512), ms(1024), ms(1024), ms(1024)]);
        assert_eq!((luck.leased(1, 3), luck), (None, Luck::Short), "something was left");
        assert_eq!((luck.leased(0, 3), luck), (ms(2), Luck::Beaten(1)), "it begins anew");
    }

    #[test]
    fn a_promise_that_was_not_kept_is_remembered_until_one_is() {
        let mut luck = Luck::Fair;
        for (leased, promised, was_short) in [(2, 2, false), (1, 2, true), (0, 2, true), (0, 0, false)] {
            luck.leased(leased, promised);
            assert_eq!(luck.was_short(), was_short, "{leased} of {promised}");
        }
    }

    #[test]
    fn that_no_key_may_sign_is_new_once_and_again_after_a_lease() {
        let mut luck = Luck::Beaten(3);
        assert_eq!([luck.found_no_key(), luck.found_no_key()], [true, false]);
        luck.leased(0, 0);
        assert_eq!(luck, Luck::Keyless, "nothing was there to lease");
        luck.leased(1, 1);
        assert!(luck.found_no_key());
    }
}
