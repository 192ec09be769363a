//! One run: nodes at work while things go wrong, then none goes wrong any more, and everything must be signed
//! before long.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use signwave::{
    actors::{Ending, Mode, RunError},
    config::Settings,
    domain::{KeyId, KeyState},
    store::Store,
};
use tokio::{
    runtime::Builder,
    task::LocalSet,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    fate::{Fate, Tally},
    node::Node,
    panics,
    scenario::{Scenario, Trouble, Weather},
    world::World,
};

pub struct Report {
    pub tally: Tally,
    pub events: u64,
    /// A hash of all that happened, in order.
    pub trace: u64,
    pub failure: Option<String>,
}

/// The run that `seed` stands for.
pub fn run(seed: u64) -> Report {
    panics::note();
    let fate = Fate::new(seed);
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let set = LocalSet::new();
    let simulation = Simulation::new(fate.clone());
    let ended = catch_unwind(AssertUnwindSafe(|| set.block_on(&runtime, simulation.run())));
    let wrong = panics::noted();
    let (events, trace, last, tally) = fate.end();
    let failure = (ended.is_err() || !wrong.is_empty()).then(|| {
        format!(
            "seed {seed} failed:\n{}\nthe last events of it:\n{}\nto see it again:\n    TEST_SEED={seed} TEST_RUNS=1 \
             cargo test --locked --test simulation whatever_happens -- --nocapture\n",
            wrong.join("\n"),
            last.join("\n"),
        )
    });
    Report { tally, events, trace, failure }
}

/// A place for a node: one process after the other.
struct Place {
    settings: Settings,
    node: Option<Node>,
}

/// What is going to happen without being drawn anew.
enum Due {
    Resume(usize),
    Restart(usize),
    Heal(usize),
    DatabaseIsBack,
}

struct Simulation {
    fate: Fate,
    scenario: Scenario,
    world: World,
    places: Vec<Place>,
    due: Vec<(Instant, Due)>,
    processes: usize,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Troubled,
    /// Nothing goes wrong any more.
    Settling,
    /// Everything is signed; what ends stays so.
    Closing,
}

/// The nodes are looked at that often, in simulated time.
const LOOK: Duration = Duration::from_millis(50);

impl Simulation {
    fn new(fate: Fate) -> Self {
        let scenario = Scenario::draw(&fate);
        let world = World::new(fate.clone(), &scenario);
        let place = |settings: &Settings| Place { settings: settings.clone(), node: None };
        let places = scenario.settings.iter().map(place).collect();
        Self { fate, scenario, world, places, due: Vec::new(), processes: 0, phase: Phase::Troubled }
    }

    async fn run(mut self) {
        self.fate.begin();
        (0..self.places.len()).for_each(|place| self.start(place));
        for _ in 0..self.scenario.events {
            self.pass(self.fate.millis(0, self.scenario.gap.as_millis() as u64)).await;
            if panics::any() {
                return;
            }
            self.happen(self.fate.one_of(&self.scenario.troubles));
            self.world.check();
        }
        self.settle().await;
        if !panics::any() {
            self.close().await;
        }
    }

    fn start(&mut self, place: usize) {
        let mode =
            if self.phase == Phase::Troubled && self.fate.chance(150) { Mode::Drain } else { Mode::Serve };
        self.start_to(place, mode);
    }

    fn start_to(&mut self, place: usize, mode: Mode) {
        let (number, settings) = (self.processes, &self.places[place].settings);
        self.processes += 1;
        self.fate.log(format_args!("process {number} starts: {mode:?}, {:?}", settings.roles));
        let node = Node::start(&self.world, number, settings, mode, self.scenario.in_turn);
        self.places[place].node = Some(node);
    }

    /// Time passes, and what is due happens.
    async fn pass(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while !panics::any() {
            let next = self.due.iter().map(|(at, _)| *at).min().unwrap_or(end);
            sleep_until(next.min(end).min(Instant::now() + LOOK)).await;
            self.look_after_nodes();
            while let Some(first) = self.due.iter().position(|(at, _)| *at <= Instant::now()) {
                let (_, due) = self.due.remove(first);
                self.happen_as_due(due);
            }
            if Instant::now() >= end {
                return;
            }
        }
    }

    fn after(&mut self, time: Duration, due: Due) {
        self.due.push((Instant::now() + time, due));
    }

    fn look_after_nodes(&mut self) {
        for place in 0..self.places.len() {
            let Some(node) = &self.places[place].node else { continue };
            if let Some(ended) = node.ended() {
                self.judge(node, ended);
            } else if !node.process.is_over() {
                self.check_stop(node);
                continue;
            }
            self.is_gone(place);
        }
    }

    fn judge(&self, node: &Node, ended: Result<Ending, RunError>) {
        self.fate.log(format_args!("process {} ended: {ended:?}", node.process.number));
        let may_be = match &ended {
            Ok(Ending::Drained { held_elsewhere }) if self.phase == Phase::Closing => *held_elsewhere == 0,
            Ok(Ending::Stopped) | Err(RunError::Aborted) => node.is_stopping,
            Err(_) if self.phase == Phase::Closing => false,
            Ok(Ending::Drained { .. }) => node.mode == Mode::Drain,
            // A service outlasts everything that happens here, once it has begun.
            Err(_) => node.mode == Mode::Drain || !node.is_started(),
        };
        assert!(may_be, "process {}, {:?}, ended: {ended:?}", node.process.number, node.mode);
    }

    /// A stop takes no longer than it may, whatever happens meanwhile to the database.
    fn check_stop(&self, node: &Node) {
        let Some(since) = node.stopping_since else { return };
        let limit = node.settings.stop_grace + Duration::from_secs(2) + 2 * LOOK;
        let time = self.fate.elapsed() - since;
        assert!(time <= limit, "process {} stops for {time:?} already", node.process.number);
    }

    /// What is left of a process when it is gone: others may see at once that it is.
    fn is_gone(&mut self, place: usize) {
        let Some(node) = self.places[place].node.take() else { return };
        for id in node.process.nodes.take() {
            if self.scenario.same_host {
                self.fate.count("declared dead");
                self.world.memory.declare_dead(id);
            }
        }
        if self.phase != Phase::Closing {
            let pause = self.fate.millis(0, self.scenario.gap.as_millis() as u64);
            self.after(pause, Due::Restart(place));
        }
    }

    fn happen_as_due(&mut self, due: Due) {
        match due {
            Due::Restart(place) => self.start(place),
            Due::DatabaseIsBack => self.world.set_away(false),
            Due::Resume(place) => {
                if let Some(node) = &self.places[place].node {
                    self.fate.log(format_args!("process {} goes on", node.process.number));
                    node.resume();
                }
            }
            Due::Heal(place) => {
                if let Some(node) = &self.places[place].node {
                    node.process.is_cut_off.set(false);
                }
            }
        }
    }

    fn happen(&mut self, trouble: Trouble) {
        let (ttl, grace) = self.times();
        match trouble {
            Trouble::Insert => {
                let most = 2 * self.places[0].settings.batch_size as u64 + 3;
                self.world.insert(self.fate.between(1, most) as usize);
            }
            Trouble::Outage => {
                self.fate.count("outage");
                self.world.set_away(true);
                self.after(self.fate.millis(1, 2 * ttl), Due::DatabaseIsBack);
            }
            Trouble::ClockStep => {
                self.fate.count("clock step");
                self.world.step_database_clock(self.fate.millis(1, 2 * (ttl + grace)));
            }
            Trouble::KeyState => {
                self.fate.count("key set aside");
                let key = KeyId(self.fate.between(1, self.scenario.keys as u64) as i64);
                let state = self.fate.one_of(&[KeyState::Active, KeyState::Disabled, KeyState::Disabled]);
                self.world.memory.set_key_state(key, state, None).unwrap();
            }
            trouble => self.happen_to_a_node(trouble),
        }
        self.fate.log(format_args!("trouble: {trouble:?}"));
    }

    fn happen_to_a_node(&mut self, trouble: Trouble) {
        let (ttl, grace) = self.times();
        let place = self.fate.between(0, self.places.len() as u64 - 1) as usize;
        let Some(node) = self.places[place].node.as_mut().filter(|node| !node.process.is_over()) else {
            return;
        };
        self.fate.log(format_args!("to process {}:", node.process.number));
        match trouble {
            Trouble::Pause if !node.is_paused() => {
                self.fate.count("pause");
                node.pause();
                let short = self.fate.millis(1, ttl / 2);
                let long = self.fate.millis(ttl, 2 * (ttl + grace) + 500);
                self.after(self.fate.one_of(&[short, long, long]), Due::Resume(place));
            }
            Trouble::Crash => {
                self.fate.count("crash");
                node.process.crash();
                self.is_gone(place);
            }
            Trouble::Stop | Trouble::Abort if node.is_started() => {
                self.fate.count(if trouble == Trouble::Stop { "stop" } else { "abort" });
                node.stop.request();
                if trouble == Trouble::Abort {
                    node.stop.request();
                }
                if !node.is_stopping && !node.is_paused() {
                    node.stopping_since = Some(self.fate.elapsed());
                }
                node.is_stopping = true;
            }
            Trouble::Partition => {
                self.fate.count("partition");
                node.process.is_cut_off.set(true);
                self.after(self.fate.millis(1, 2 * ttl), Due::Heal(place));
            }
            _ => {}
        }
    }

    /// Time to live and grace, in milliseconds.
    fn times(&self) -> (u64, u64) {
        let settings = &self.places[0].settings;
        (settings.lease_ttl.as_millis() as u64, settings.lease_grace.as_millis() as u64)
    }

    /// Nothing goes wrong any more; an operator enables the keys. Everything must be signed soon.
    async fn settle(&mut self) {
        self.fate.log(format_args!("from here on nothing goes wrong"));
        let limit = self.limit(self.world.weather());
        self.phase = Phase::Settling;
        self.world.calm_down();
        self.due.iter_mut().for_each(|(at, _)| *at = Instant::now());
        let begun = self.fate.elapsed();
        while !self.is_all_signed() {
            (1..=self.scenario.keys).for_each(|key| {
                self.world.memory.set_key_state(KeyId(key as i64), KeyState::Active, None).unwrap();
            });
            self.pass(Duration::from_millis(20)).await;
            if panics::any() {
                return;
            }
            let status = self.world.memory.status().unwrap();
            assert!(self.fate.elapsed() - begun < limit, "not all is signed within {limit:?}: {status:?}");
        }
        self.world.check();
    }

    /// Within this time everything is signed: leases of the dead run out, what is under way arrives, signers
    /// that are slow finish what they have begun.
    fn limit(&self, weather: Weather) -> Duration {
        let (ttl, grace) = self.times();
        let under_way = 5 * weather.longest + 20 * weather.signing;
        // A batch that the schema refuses is left alone for a minute.
        let given_up = if self.fate.counted("call refused") > 0 { 61_000 } else { 0 };
        Duration::from_millis(2 * (ttl + grace) + under_way + given_up + 5000)
    }

    fn is_all_signed(&self) -> bool {
        let counts = self.world.memory.counts().unwrap();
        counts.signatures == counts.records
    }

    /// Every service stops in order; one that drains finds nothing to do.
    async fn close(mut self) {
        sleep(Duration::from_secs(1)).await;
        self.pass(Duration::ZERO).await;
        for node in self.places.iter().filter_map(|place| place.node.as_ref()) {
            if node.mode == Mode::Serve && !node.is_stopping && self.fate.counted("call refused") == 0 {
                self.world.checks(|checks| checks.check_settled(node.process.number));
            }
        }
        self.phase = Phase::Closing;
        self.due.clear();
        let nodes = self.places.iter_mut().filter_map(|place| place.node.as_mut());
        for node in nodes.filter(|node| !node.is_stopping) {
            node.stop.request();
            (node.is_stopping, node.stopping_since) = (true, Some(self.fate.elapsed()));
        }
        self.until_all_ended().await;
        self.start_to(0, Mode::Drain);
        self.until_all_ended().await;
        self.world.check();
        assert!(self.is_all_signed());
    }

    async fn until_all_ended(&mut self) {
        let begun = self.fate.elapsed();
        while self.places.iter().any(|place| place.node.is_some()) && !panics::any() {
            self.pass(LOOK).await;
            assert!(self.fate.elapsed() - begun < Duration::from_secs(10), "a node does not end");
        }
    }
}
