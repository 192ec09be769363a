//! Scenario: what a seed says about a run before it begins. Each kind of trouble is left out of half of the
//! runs, so that the others are seen undisturbed by it.

use std::time::Duration;

use signwave::config::{Roles, Settings};

use crate::fate::Fate;

pub struct Scenario {
    pub records: usize,
    pub keys: usize,
    /// Who has some of the keys, and signs outside the processes of the nodes.
    pub card: Option<Card>,
    /// How long the signing threads take.
    pub pace: Pace,
    /// Whether something is measured: clocks are right, and promises are checked only in the end.
    pub measures: bool,
    /// One node each.
    pub settings: Vec<(Settings, Roles)>,
    /// One connection, as to SQLite: whatever a node asks for is done in turn.
    pub in_turn: bool,
    /// A dead process is noticed at once.
    pub same_host: bool,
    pub weather: Weather,
    pub troubles: Vec<Trouble>,
    /// How many of them there will be, and the longest time between two.
    pub events: u64,
    pub gap: Duration,
}

/// A custodian that signs outside the process.
pub const CARD: &str = "card";

#[derive(Clone, Copy, Debug)]
pub struct Card {
    /// The last so many keys are its.
    pub keys: usize,
    pub sessions: usize,
    pub pace: Pace,
}

/// How long signatures take.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// As the weather says.
    Drawn,
    /// Each takes so long.
    Each(Duration),
    /// For ever.
    Hangs,
}

/// What happens to a node, or to all, at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    Insert,
    Pause,
    Crash,
    Stop,
    Abort,
    Partition,
    Outage,
    ClockStep,
    KeyState,
    KeyLimits,
}

/// How often what goes wrong by itself goes wrong, per mille, and how long things take.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Of calls of the store: an error, nothing happened.
    pub failing: u64,
    /// Of calls of the store: done, but the reply is lost.
    pub lost: u64,
    /// Of calls of the store: a panic.
    pub panicking: u64,
    /// Of commits: the schema refuses it.
    pub refusing: u64,
    /// Of messages: on their way for up to [`Weather::longest`].
    pub slow: u64,
    /// Of messages: whoever sent it is told that the connection broke; it is carried out later.
    pub late: u64,
    /// Of messages: the node crashes.
    pub fatal: u64,
    /// Of commits: the node is paused while it is on its way, for up to twice [`Weather::longest`].
    pub freezing: u64,
    /// Of groups of signatures: the signer fails, panics, or makes too few.
    pub bad_signer: u64,
    /// Of groups of signatures: it takes up to [`Weather::longest`].
    pub slow_signer: u64,
    /// How long any other takes at most, in milliseconds.
    pub signing: u64,
    /// In milliseconds.
    pub longest: u64,
}

impl Weather {
    /// Nothing goes wrong any more.
    pub fn calm() -> Self {
        Self {
            failing: 0,
            lost: 0,
            panicking: 0,
            refusing: 0,
            slow: 0,
            late: 0,
            fatal: 0,
            freezing: 0,
            bad_signer: 0,
            slow_signer: 0,
            signing: 2,
            longest: 0,
        }
    }
}

impl Scenario {
    pub fn draw(fate: &Fate) -> Self {
        let (ttl, grace) = (fate.millis(1000, 4000), fate.millis(0, 2000));
        let batch_size = fate.one_of(&[1, 2, 5, 9, 20]);
        let settings = || Settings {
            batch_size,
            scheme: signwave::domain::Scheme::default(),
            signer: signwave::signer::Engine::default(),
            checking: signwave::config::Checking::default(),
            signers: fate.between(1, 3) as usize,
            prefetch: fate.one_of(&[None, Some(1), Some(2), Some(4)]),
            linger: fate.millis(0, 300),
            poll_interval: fate.millis(20, 800),
            lease_ttl: ttl,
            lease_grace: grace,
            stop_grace: fate.millis(0, 2000),
            anchor: Vec::new(),
            node_name: "simulated".to_owned(),
        };
        let mut settings: Vec<_> = (0..fate.between(1, 3)).map(|_| (settings(), Roles::Both)).collect();
        draw_roles(fate, &mut settings);
        let keys = fate.between(1, 5) as usize;
        Self {
            records: fate.between(0, 6 * batch_size as u64 + 10) as usize,
            keys,
            card: draw_card(fate, keys),
            pace: Pace::Drawn,
            measures: false,
            settings,
            in_turn: fate.chance(500),
            same_host: fate.chance(300),
            weather: draw_weather(fate, ttl),
            troubles: draw_troubles(fate),
            events: fate.between(6, 24),
            gap: ttl.mul_f32(0.7),
        }
    }
}

/// At least one node forms batches, and one signs.
fn draw_roles(fate: &Fate, settings: &mut [(Settings, Roles)]) {
    if settings.len() > 1 && fate.chance(400) {
        let rest = [Roles::Both, Roles::Emit, Roles::Sign];
        settings.iter_mut().for_each(|(_, roles)| *roles = fate.one_of(&rest));
        (settings[0].1, settings[1].1) = (Roles::Emit, Roles::Sign);
    }
}

/// Often none, sometimes all keys are on it.
fn draw_card(fate: &Fate, keys: usize) -> Option<Card> {
    let on_card = if fate.chance(200) { keys } else { fate.between(1, keys as u64) as usize };
    let card = Card { keys: on_card, sessions: fate.between(1, 3) as usize, pace: Pace::Drawn };
    fate.chance(400).then_some(card)
}

fn draw_weather(fate: &Fate, ttl: Duration) -> Weather {
    let sometimes = |most| if fate.chance(500) { fate.between(1, most) } else { 0 };
    Weather {
        failing: sometimes(150),
        lost: sometimes(120),
        panicking: sometimes(30),
        refusing: if fate.chance(100) { fate.between(20, 200) } else { 0 },
        slow: sometimes(60),
        late: sometimes(60),
        fatal: sometimes(15),
        freezing: sometimes(200),
        bad_signer: sometimes(250),
        slow_signer: sometimes(120),
        signing: fate.one_of(&[0, 3, 40, 150, 400]),
        longest: fate.between(10, 2 * ttl.as_millis() as u64),
    }
}

/// Records come in every run, and more often than anything else.
fn draw_troubles(fate: &Fate) -> Vec<Trouble> {
    use Trouble::*;
    let all = [Pause, Pause, Crash, Stop, Abort, Partition, Outage, ClockStep, KeyState, KeyLimits];
    let drawn: Vec<_> = all.into_iter().filter(|_| fate.chance(500)).collect();
    std::iter::repeat_n(Insert, drawn.len() / 2 + 1).chain(drawn).collect()
}
