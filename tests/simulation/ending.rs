//! The end of a run: nothing goes wrong any more, everything is signed before long, and every node goes in order.

use std::time::Duration;

use signwave::{
    actors::Mode,
    domain::{KeyId, KeyState, LimitChange},
    store::{Audit, KeyPool, Reading},
};
use support::store::by;
use tokio::time::Instant;

use crate::{
    panics,
    scenario::Weather,
    simulation::{LOOK, Phase, Simulation},
};

impl Simulation {
    /// An operator enables the keys, and removes their limits. Everything must be signed soon, and every service must know of all that
    /// it had stored. Answers how long that may take.
    pub async fn settle(&mut self) -> Duration {
        self.fate.log(format_args!("from here on nothing goes wrong"));
        let limit = self.limit(self.shared.weather());
        self.phase = Phase::Settling;
        self.shared.calm_down();
        self.due.iter_mut().for_each(|(at, _)| *at = Instant::now());
        self.pass(LOOK).await;
        self.until(limit, Self::unsigned).await;
        self.shared.check();
        if self.fate.counted("call refused") == 0 {
            self.until(limit, Self::unknown).await;
        }
        limit
    }

    /// Within this time everything is signed: leases of the dead run out, what is under way arrives, signers
    /// that are slow finish what they have begun.
    fn limit(&self, weather: Weather) -> Duration {
        let (ttl, grace) = self.times();
        let under_way = 7 * weather.longest + 20 * weather.signing;
        // A batch that the schema refuses is left alone for a minute.
        let given_up = if self.fate.counted("call refused") > 0 { 61_000 } else { 0 };
        Duration::from_millis(2 * (ttl + grace) + under_way + given_up + 5000)
    }

    /// Until `missing` finds nothing any more.
    async fn until(&mut self, limit: Duration, missing: impl Fn(&Self) -> Option<String>) {
        let begun = self.fate.elapsed();
        while let Some(missing) = missing(self).filter(|_| !panics::any()) {
            assert!(self.fate.elapsed() - begun < limit, "not within {limit:?}: {missing}");
            (1..=self.scenario.keys).for_each(|key| {
                let (memory, key) = (&self.shared.memory, KeyId(key as i64));
                memory.set_key_state(key, KeyState::Active, None, &by()).unwrap();
                let unlimited = LimitChange { max_signatures: Some(None), ..LimitChange::default() };
                memory.set_key_limits(key, &unlimited, &by()).unwrap();
            });
            self.pass(LOOK).await;
        }
    }

    fn unsigned(&self) -> Option<String> {
        let counts = self.shared.memory.counts().unwrap();
        let left = || format!("everything is signed, but {:?}", self.shared.memory.status().unwrap());
        (counts.signatures < counts.records).then(left)
    }

    /// What a service had stored, and does not show.
    fn unknown(&self) -> Option<String> {
        let nodes = self.places.iter().filter_map(|place| place.node.as_ref());
        let mut serving = nodes.filter(|node| !node.mode.drains() && !node.is_stopping);
        serving.find_map(|node| self.shared.checks(|checks| checks.not_shown(node.process.number)))
    }

    /// Every service stops in order, within `limit`: one may still be frozen. A command finds nothing to do.
    pub async fn close(&mut self, limit: Duration) {
        self.phase = Phase::Closing;
        self.due.clear();
        let nodes = self.places.iter_mut().filter_map(|place| place.node.as_mut());
        for node in nodes.filter(|node| !node.is_stopping) {
            node.stop.request();
            (node.is_stopping, node.stopping_since) = (true, Some(self.fate.elapsed()));
        }
        self.until(limit, Self::running).await;
        self.phase = Phase::Draining;
        self.start_to(0, Mode::Drain);
        self.until(Duration::from_secs(10), Self::running).await;
        self.shared.check();
        assert_eq!(self.unsigned(), None);
    }

    fn running(&self) -> Option<String> {
        let mut nodes = self.places.iter().filter_map(|place| place.node.as_ref());
        nodes.next().map(|node| format!("process {} ends", node.process.number))
    }
}
