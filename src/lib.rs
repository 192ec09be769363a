//! Sign Wave signs every record of a database exactly once, in batches, with a pool of RSA keys.
//!
//! The layers, from the bottom up. Each imports only from those before it, and `tests/layers` checks this:
//!
//! 1. [`domain`]: the rules, as pure code.
//! 2. `libpq` (PostgreSQL servers), [`anchors`] (files and databases that remember the ledger), [`store`] (databases), which uses them, and [`signer`] (cryptography): the
//!    world outside. The last two do not import each other.
//!    [`token_host`]: the process that loads the module of a hardware token, and the other end of [`signer::token`].
//! 3. [`config`] and [`actors`]: the service, that is, what runs when. [`audit`]: the check of what was stored.
//!    [`restores`]: what becomes of a database that was put back.
//!    [`access`]: who may call the API.
//!    [`formats`]: records in, signatures out, as text. [`brokers`]: how a broker is reached. [`intake`]: records in, from a
//!    broker. [`publishing`]: signatures out, to a broker. [`webhooks`]: tells others of signatures. [`heads`]: checkpoints of
//!    the ledger.
//! 4. [`http`]: the API. [`cli`]: the command line, which starts it.
#![forbid(unsafe_code)]

pub mod access;
pub mod actors;
pub mod anchors;
pub mod audit;
pub mod brokers;
pub mod cli;
pub mod config;
pub mod domain;
pub mod formats;
pub mod heads;
pub mod http;
pub mod intake;
mod libpq;
pub mod publishing;
pub mod restores;
pub mod signer;
pub mod store;
pub mod token_host;
pub mod webhooks;
