//! The actors, with a stand-in for the database, no RSA, and no sleeping.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod custodians;
mod failover;
mod faults;
mod intake;
mod keys;
mod leases;
mod listening;
mod rig;
mod roles;
mod second_edge;
mod selection;
mod signers;
mod stand_in;
mod starting;
mod stopping;
