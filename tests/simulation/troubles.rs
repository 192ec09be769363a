//! What goes wrong at a moment, and to whom.

use signwave::{
    domain::{KeyId, KeyState, LimitChange},
    store::{KeyPool, Reading},
};
use support::store::by;

use crate::{
    scenario::Trouble,
    simulation::{Due, Simulation},
};

impl Simulation {
    pub fn happen(&mut self, trouble: Trouble) {
        let (ttl, grace) = self.times();
        match trouble {
            Trouble::Insert => {
                let most = 2 * self.places[0].settings.batch_size as u64 + 3;
                self.shared.insert(self.fate.between(1, most) as usize);
            }
            Trouble::Outage => {
                self.fate.count("outage");
                self.shared.set_away(true);
                self.after(self.fate.millis(1, 2 * ttl), Due::DatabaseIsBack);
            }
            Trouble::ClockStep => {
                self.fate.count("clock step");
                self.shared.step_database_clock(self.fate.millis(1, 2 * (ttl + grace)));
            }
            Trouble::KeyState => {
                self.fate.count("key set aside");
                let key = KeyId(self.fate.between(1, self.scenario.keys as u64) as i64);
                let state = self.fate.one_of(&[KeyState::Active, KeyState::Disabled, KeyState::Disabled]);
                self.shared.memory.set_key_state(key, state, None, &by()).unwrap();
            }
            Trouble::KeyLimits => {
                self.fate.count("key limited");
                let key = KeyId(self.fate.between(1, self.scenario.keys as u64) as i64);
                let most = self.fate.between(1, self.scenario.records as u64 + 1) as i64;
                let limit = self.fate.one_of(&[None, Some(most.try_into().unwrap())]);
                let change = LimitChange { max_signatures: Some(limit), ..LimitChange::default() };
                self.shared.memory.set_key_limits(key, &change, &by()).unwrap();
            }
            trouble => self.happen_to_a_node(trouble),
        }
        self.fate.log(format_args!("trouble: {trouble:?}"));
    }

    fn happen_to_a_node(&mut self, trouble: Trouble) {
        let (ttl, grace) = self.times();
        let place = self.victim();
        let Some(node) = self.places[place].node.as_mut().filter(|node| !node.process.is_over()) else {
            return;
        };
        self.fate.log(format_args!("to process {}:", node.process.number));
        match trouble {
            Trouble::Pause if !node.is_paused() => {
                self.fate.count("pause");
                node.process.pause();
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

    /// Often one that holds batches, if any does.
    fn victim(&self) -> usize {
        let nodes = self.shared.memory.status().unwrap().nodes;
        let holds = |place: &usize| {
            let Some(node) = &self.places[*place].node else { return false };
            let ids = node.process.nodes.borrow();
            nodes.iter().any(|row| row.batches > 0 && ids.contains(&row.id))
        };
        let places: Vec<_> = (0..self.places.len()).collect();
        let holders: Vec<_> = places.iter().copied().filter(holds).collect();
        self.fate.one_of(if holders.is_empty() || self.fate.chance(300) { &places } else { &holders })
    }
}
