//! A deliberate leak, with which the timing test is tested. No build of the product has this file.

use std::cell::Cell;

thread_local! {
    static LEAKS: Cell<bool> = const { Cell::new(false) };
}

/// From now on the time of this thread's exponentiations depends on the exponents' windows.
pub(super) fn begin() {
    LEAKS.set(true);
}

pub(super) fn end() {
    LEAKS.set(false);
}

/// Whether a factor is to be left out because its window is 0, as careless implementations do. Without a leak the window is not
/// looked at: a branch on it would be a leak, small as it is.
pub(super) fn leaves_out(window: impl FnOnce() -> u64) -> bool {
    LEAKS.get() && window() == 0
}
