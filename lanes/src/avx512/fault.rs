//! Faults that tests inject into computations. No build of the product has this file.

use std::cell::Cell;

use super::vector::{LANES, Lanes};

/// Where a bit flips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The columns of a product or a square, before its reduction.
    Columns,
    /// A table of powers.
    Table,
    /// A factor that was looked up.
    Factor,
    /// The recombined result.
    Result,
}

/// A fault to come.
#[derive(Clone, Copy)]
struct Plan {
    place: Place,
    /// How often the place is passed before.
    visits: usize,
    /// Which bit flips.
    bit: usize,
}

thread_local! {
    static PLAN: Cell<Option<Plan>> = const { Cell::new(None) };
}

/// Flips a bit, counted modulo the memory's bits, when this thread passes the place after `visits` other times.
pub(super) fn plan(place: Place, visits: usize, bit: usize) {
    PLAN.set(Some(Plan { place, visits, bit }));
}

/// Whether a planned fault has not happened; it will not happen any more.
pub(super) fn is_pending() -> bool {
    PLAN.take().is_some()
}

/// Passes a place.
pub(super) fn pass(place: Place, memory: &mut [Lanes]) {
    let Some(plan) = PLAN.get().filter(|plan| plan.place == place) else { return };
    if plan.visits > 0 {
        return PLAN.set(Some(Plan { visits: plan.visits - 1, ..plan }));
    }
    PLAN.set(None);
    let bit = plan.bit % (memory.len() * LANES * 64);
    memory[bit / 64 / LANES].0[bit / 64 % LANES] ^= 1 << (bit % 64);
}
