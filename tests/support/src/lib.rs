//! What several test programs share.
//!
//! The binary and its surroundings: [`process`] runs it, [`sandbox`], [`site`] and [`place`] give it a folder, [`clock`] a clock
//! that tests set, [`api`] asks it over HTTP, [`strace`] sees its system calls and lets them fail. Databases: [`postgres`] starts servers, [`proxy`] stands between them and their clients, [`rabbitmq`] and [`nats`] start brokers, and [`amqp`] and [`jetstream`] are clients of them, behind a [`wire`], [`brokered`] has the services between them and a database, [`tested_store`]
//! has every kind of store ([`memory`] keeps one in memory, [`faulty`] lets one fail), [`store`] the usual steps, [`stranger`] plain SQL. [`promises`] checks them all. Keys:
//! [`numbers`], [`openssl`], [`certificates`], and [`tokens`], which keep them. Proofs: [`bundles`]. Chance and time: [`random`], [`waiting`].

pub mod amqp;
pub mod api;
pub mod brokered;
pub mod bundles;
pub mod certificates;
pub mod clock;
pub mod faulty;
pub mod jetstream;
pub mod memory;
pub mod nats;
pub mod numbers;
pub mod openssl;
pub mod place;
pub mod postgres;
pub mod process;
pub mod promises;
pub mod proxy;
pub mod rabbitmq;
pub mod random;
pub mod sandbox;
pub mod site;
pub mod store;
pub mod strace;
pub mod stranger;
pub mod tested_store;
pub mod tokens;
pub mod waiting;
pub mod wire;

use std::path::Path;

/// The folder of the project.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
