//! Records that come from a broker: a real RabbitMQ, and one that does as a script says.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod between;
mod client;
mod kills;
mod leftovers;
mod outage;
mod place;
mod poison;
mod pressure;
mod producer;
mod reach;
mod scripted;
mod stop;

use std::{
    ops::Deref,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use support::rabbitmq::Broker;

/// How long anything may take.
const SOON: Duration = Duration::from_secs(60);

/// The broker that all tests share, because it takes long to start. It is one test's own for a while, because some kill
/// it.
struct OneBroker(#[expect(dead_code, reason = "it is held")] MutexGuard<'static, ()>);

impl OneBroker {
    fn take() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        Self(TURN.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Deref for OneBroker {
    type Target = Broker;

    fn deref(&self) -> &Broker {
        // Statics are never dropped: the guard ends it when this process ends.
        static SHARED: LazyLock<Broker> = LazyLock::new(Broker::start);
        &SHARED
    }
}
