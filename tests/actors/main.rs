//! The actors, with a stand-in for the database, no RSA, and no sleeping.

mod faults;
mod keys;
mod leases;
mod selection;
mod signers;
mod stand_in;
mod stopping;
mod world;
