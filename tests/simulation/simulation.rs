//! One run: nodes at work while things go wrong, then none goes wrong any more, and everything must be signed
//! before long.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use signwave::{
    actors::{Ending, Mode, RunError},
    config::{Roles, Settings},
};
use tokio::{
    runtime::Builder,
    task::LocalSet,
    time::{Instant, sleep_until},
};

use crate::{
    fate::{Fate, Tally},
    node::Node,
    panics,
    scenario::Scenario,
    shared::Shared,
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
pub struct Place {
    pub settings: Settings,
    pub roles: Roles,
    pub node: Option<Node>,
}

/// What is going to happen without being drawn anew.
pub enum Due {
    Resume(usize),
    Restart(usize),
    Heal(usize),
    DatabaseIsBack,
}

pub struct Simulation {
    pub fate: Fate,
    pub scenario: Scenario,
    pub shared: Shared,
    pub places: Vec<Place>,
    pub due: Vec<(Instant, Due)>,
    pub phase: Phase,
    processes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Troubled,
    /// Nothing goes wrong any more.
    Settling,
    /// Everything is signed; what ends stays so.
    Closing,
    /// One that drains finds nothing to do.
    Draining,
}

/// The nodes are looked at that often, in simulated time.
pub const LOOK: Duration = Duration::from_millis(50);

impl Simulation {
    fn new(fate: Fate) -> Self {
        let scenario = Scenario::draw(&fate);
        let shared = Shared::new(fate.clone(), &scenario);
        let place = |(settings, roles): &(Settings, Roles)| Place {
            settings: settings.clone(),
            roles: *roles,
            node: None,
        };
        let places = scenario.settings.iter().map(place).collect();
        Self { fate, scenario, shared, places, due: Vec::new(), processes: 0, phase: Phase::Troubled }
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
            self.shared.check();
        }
        let limit = self.settle().await;
        if !panics::any() {
            self.close(limit).await;
        }
    }

    fn start(&mut self, place: usize) {
        let drains = self.phase == Phase::Troubled && self.fate.chance(150);
        let mode = if drains { Mode::Drain } else { Mode::Serve(self.places[place].roles) };
        self.start_to(place, mode);
    }

    pub fn start_to(&mut self, place: usize, mode: Mode) {
        let (number, Place { settings, roles, .. }) = (self.processes, &self.places[place]);
        let does = if mode.drains() { "Drain" } else { "Serve" };
        self.processes += 1;
        self.fate.log(format_args!("process {number} starts: {does}, {roles:?}"));
        let node = Node::start(&self.shared, number, settings, mode, self.scenario.in_turn);
        self.places[place].node = Some(node);
    }

    /// Time passes, and what is due happens.
    pub async fn pass(&mut self, time: Duration) {
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

    pub fn after(&mut self, time: Duration, due: Due) {
        self.due.push((Instant::now() + time, due));
    }

    fn look_after_nodes(&mut self) {
        for place in 0..self.places.len() {
            if let Some(node) = self.places[place].node.as_mut().filter(|node| node.is_paused()) {
                node.stopping_since = None;
            }
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
            ended if self.phase == Phase::Draining => *ended == Ok(Ending::Drained { held_elsewhere: 0 }),
            Ok(Ending::Stopped) | Err(RunError::Aborted) => node.is_stopping,
            Ok(Ending::Drained { .. }) => node.mode == Mode::Drain,
            // A service outlasts everything that happens here, once it has begun.
            Err(_) => node.mode == Mode::Drain || !node.is_started(),
        };
        assert!(may_be, "process {}, {:?}, ended: {ended:?}", node.process.number, node.mode);
    }

    /// A stop takes no longer than it may, whatever happens meanwhile to the database.
    fn check_stop(&self, node: &Node) {
        let Some(since) = node.stopping_since else { return };
        let limit = node.settings.stop_grace + Duration::from_secs(6) + 2 * LOOK;
        let time = self.fate.elapsed() - since;
        assert!(time <= limit, "process {} stops for {time:?} already", node.process.number);
    }

    /// What is left of a process when it is gone: others may see at once that it is.
    pub fn is_gone(&mut self, place: usize) {
        let Some(node) = self.places[place].node.take() else { return };
        for id in node.process.nodes.take() {
            if self.scenario.same_host {
                self.fate.count("declared dead");
                self.shared.memory.declare_dead(id);
            }
        }
        if matches!(self.phase, Phase::Troubled | Phase::Settling) {
            let pause = self.fate.millis(0, self.scenario.gap.as_millis() as u64);
            self.after(pause, Due::Restart(place));
        }
    }

    fn happen_as_due(&mut self, due: Due) {
        match due {
            Due::Restart(place) => self.start(place),
            Due::DatabaseIsBack => self.shared.set_away(false),
            Due::Resume(place) => {
                if let Some(node) = &self.places[place].node {
                    self.fate.log(format_args!("process {} goes on", node.process.number));
                    node.process.resume();
                }
            }
            Due::Heal(place) => {
                if let Some(node) = &self.places[place].node {
                    node.process.is_cut_off.set(false);
                }
            }
        }
    }

    /// Time to live and grace, in milliseconds.
    pub fn times(&self) -> (u64, u64) {
        let settings = &self.places[0].settings;
        (settings.lease_ttl.as_millis() as u64, settings.lease_grace.as_millis() as u64)
    }
}
