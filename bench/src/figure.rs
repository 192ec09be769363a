//! A measured figure: its samples, and its goal.

use std::io::{self, Write};

use serde_json::{Value, json};

/// Several measurements of one thing.
pub struct Figure {
    name: String,
    goal: Option<Goal>,
    samples: Vec<f64>,
}

/// From how many samples on percentiles stand for the extremes.
const MANY: usize = 20;

/// What a figure should reach.
#[derive(Clone, Copy)]
pub enum Goal {
    /// At least this value.
    AtLeast(f64),
    /// At most this value.
    AtMost(f64),
}

impl Figure {
    /// A figure for people and programs to read. `samples` must not be empty.
    pub fn new(name: impl Into<String>, goal: Option<Goal>, mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        Self { name: name.into(), goal, samples }
    }

    /// The middle sample, or the mean of the middle two.
    fn median(&self) -> f64 {
        let (n, samples) = (self.samples.len(), &self.samples);
        (samples[(n - 1) / 2] + samples[n / 2]) / 2.0
    }

    /// The lowest and the highest sample, or the 10th and 90th percentile of many samples.
    fn range(&self) -> (f64, f64) {
        let last = self.samples.len() - 1;
        let cut = if self.samples.len() >= MANY { self.samples.len() / 10 } else { 0 };
        (self.samples[cut], self.samples[last - cut])
    }

    fn verdict(&self) -> &'static str {
        match self.goal {
            None => "",
            Some(Goal::AtLeast(least)) if self.median() >= least => "reached",
            Some(Goal::AtMost(most)) if self.median() <= most => "reached",
            Some(_) => "missed",
        }
    }

    fn goal(&self) -> String {
        match self.goal {
            None => String::new(),
            Some(Goal::AtLeast(least)) => format!("≥ {}", number(least)),
            Some(Goal::AtMost(most)) => format!("≤ {}", number(most)),
        }
    }

    fn as_json(&self) -> Value {
        let (low, high) = self.range();
        let (min, max) = (self.samples[0], self.samples[self.samples.len() - 1]);
        let goal = match self.goal {
            None => Value::Null,
            Some(Goal::AtLeast(least)) => json!({"at_least": least}),
            Some(Goal::AtMost(most)) => json!({"at_most": most}),
        };
        json!({"name": self.name, "median": self.median(), "low": low, "high": high, "min": min, "max": max, "goal": goal, "samples": self.samples})
    }
}

/// Prints a table for people.
pub fn print_table(figures: &[Figure], out: &mut impl Write) -> io::Result<()> {
    let wide = figures.iter().map(|figure| figure.name.chars().count()).max().unwrap_or(0);
    writeln!(out, "{:wide$}  {:>10}  {:>10}  {:>10}  {:>10}", "", "median", "low", "high", "goal")?;
    for figure in figures {
        let (low, high) = figure.range();
        writeln!(
            out,
            "{:wide$}  {:>10}  {:>10}  {:>10}  {:>10}  {}",
            figure.name,
            number(figure.median()),
            number(low),
            number(high),
            figure.goal(),
            figure.verdict(),
        )?;
    }
    Ok(())
}

/// All figures as one object.
pub fn as_json(figures: &[Figure]) -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "figures": figures.iter().map(Figure::as_json).collect::<Vec<_>>(),
    })
}

/// Ratios have three digits after the point, large numbers have none.
fn number(value: f64) -> String {
    if value < 100.0 { format!("{value:.3}") } else { format!("{value:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_decides_whether_a_goal_is_reached() {
        let figure = |goal| Figure::new("x", Some(goal), vec![0.5, 0.99, 0.97]);
        assert_eq!(figure(Goal::AtLeast(0.97)).verdict(), "reached");
        assert_eq!(figure(Goal::AtLeast(0.98)).verdict(), "missed");
        assert_eq!(figure(Goal::AtMost(0.96)).verdict(), "missed");
        assert_eq!(Figure::new("x", None, vec![1.0, 2.0]).median(), 1.5);
    }

    #[test]
    fn extremes_of_a_few_samples_are_shown_and_percentiles_of_many() {
        let range = |count: u8| Figure::new("x", None, (0..count).map(f64::from).collect()).range();
        assert_eq!((range(19), range(100)), ((0.0, 18.0), (10.0, 89.0)));
    }
}
