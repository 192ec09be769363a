//! What all nodes of a run share: the store and its clock, the weather, the keys, and what is checked.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use signwave::{
    actors::clock::Clock,
    domain::{Fingerprint, KeyLimits, KeyMaterial},
    store::{KeyPool, NewKey},
};
use support::{
    memory::MemoryStore,
    store::{add_different_records, by},
};
use tokio::time::{Instant, sleep};

use crate::{
    checks::Checks,
    fate::Fate,
    scenario::{CARD, Card, Pace, Scenario, Weather},
    signers::Ledger,
};

#[derive(Clone)]
pub struct Shared {
    pub fate: Fate,
    pub memory: Arc<MemoryStore>,
    pub ledger: Arc<Mutex<Ledger>>,
    /// How long the signing threads take.
    pub pace: Pace,
    /// Who else signs.
    pub card: Option<Card>,
    measures: bool,
    checks: Arc<Mutex<Checks>>,
    moving: Arc<Mutex<Moving>>,
}

struct Moving {
    weather: Weather,
    /// Nobody reaches the database.
    is_away: bool,
    /// How far the database's clock is ahead of simulated time, and where it stands.
    ahead: Duration,
    database_time: Duration,
}

impl Shared {
    pub fn new(fate: Fate, scenario: &Scenario) -> Self {
        let moving = Moving {
            weather: scenario.weather,
            is_away: false,
            ahead: Duration::ZERO,
            database_time: Duration::ZERO,
        };
        let shared = Self {
            fate,
            memory: Arc::default(),
            ledger: Arc::default(),
            pace: scenario.pace,
            card: scenario.card,
            measures: scenario.measures,
            checks: Arc::default(),
            moving: Arc::new(Mutex::new(moving)),
        };
        let sealed = scenario.keys - scenario.card.map_or(0, |card| card.keys);
        (1..=scenario.keys).for_each(|key| shared.add_key(key, key > sealed));
        shared.insert(scenario.records);
        shared
    }

    fn add_key(&self, key: usize, is_on_card: bool) {
        let material = if is_on_card {
            KeyMaterial::Elsewhere { custody: CARD.to_owned(), location: format!("slot {key}") }
        } else {
            KeyMaterial::Sealed(vec![0; 8])
        };
        let new = NewKey {
            fingerprint: Fingerprint([key as u8; 32]),
            public_key: vec![key as u8; 8],
            bits: 2048,
            material,
            limits: KeyLimits::default(),
        };
        self.memory.add_key(&new, &by()).unwrap();
    }

    /// Somebody else adds records with plain SQL. No two are the same.
    pub fn insert(&self, records: usize) {
        add_different_records(&*self.memory, records);
    }

    pub fn weather(&self) -> Weather {
        self.moving.lock().unwrap().weather
    }

    pub fn calm_down(&self) {
        let mut moving = self.moving.lock().unwrap();
        (moving.weather, moving.is_away) = (Weather::calm(), false);
    }

    pub fn is_away(&self) -> bool {
        self.moving.lock().unwrap().is_away
    }

    pub fn set_away(&self, is_away: bool) {
        self.moving.lock().unwrap().is_away = is_away;
    }

    pub fn step_database_clock(&self, by: Duration) {
        self.moving.lock().unwrap().ahead += by;
    }

    /// Moves the database's clock to where it must be by now.
    pub fn tick(&self) {
        let mut moving = self.moving.lock().unwrap();
        let now = self.fate.elapsed() + moving.ahead;
        self.memory.advance(now - moving.database_time);
        moving.database_time = now;
    }

    /// A clock that is up to 15 % too slow or too fast, unless something is measured, and began somewhere else.
    pub fn node_clock(&self) -> Clock {
        let (begun, offset) = (Instant::now(), self.fate.millis(0, 1_000_000_000));
        let rate = if self.measures { 1000 } else { self.fate.between(850, 1150) as u32 };
        Arc::new(move || offset + begun.elapsed() * rate / 1000)
    }

    /// On the way to the database or back.
    pub async fn travel(&self) {
        let weather = self.weather();
        let time = match () {
            () if self.fate.chance(weather.slow) => self.fate.millis(1, weather.longest),
            () if self.fate.chance(300) => self.fate.millis(1, 4),
            () => return,
        };
        sleep(time).await;
    }

    /// Every promise, after a step.
    pub fn check(&self) {
        if !self.measures {
            self.check_now();
        }
    }

    /// Every promise, now.
    pub fn check_now(&self) {
        self.checks.lock().unwrap().check(self.memory.as_ref(), &self.ledger.lock().unwrap());
    }

    /// After something that may have changed nothing.
    pub fn check_if_changed(&self) {
        if !self.measures {
            let mut checks = self.checks.lock().unwrap();
            checks.check_if_changed(self.memory.as_ref(), &self.ledger.lock().unwrap());
        }
    }

    pub fn checks<T>(&self, look: impl FnOnce(&mut Checks) -> T) -> T {
        look(&mut self.checks.lock().unwrap())
    }
}
