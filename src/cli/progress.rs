//! Progress on stderr: a bar on a terminal, otherwise a line every few seconds.

use std::{
    io::IsTerminal,
    sync::Mutex,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

/// How often a line is printed if stderr is not a terminal.
const EVERY: Duration = Duration::from_secs(5);

/// What is counted, which decides how numbers look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Records or keys.
    Pieces,
    /// Bytes of a file.
    Bytes,
}

/// One piece of work that takes a while. Any thread may report.
pub struct ProgressDisplay {
    what: &'static str,
    bar: ProgressBar,
    /// When the last line was printed, and the count in it. `None` if a bar is shown.
    lines: Option<Mutex<(Instant, u64)>>,
}

impl ProgressDisplay {
    /// Starts work on `total` units (0: unknown), called `what`.
    pub fn start(bars: &MultiProgress, what: &'static str, total: u64, unit: Unit) -> Self {
        let watched = std::io::stderr().is_terminal();
        let bar = if total == 0 { ProgressBar::no_length() } else { ProgressBar::new(total) };
        let bar = if watched { bars.add(bar) } else { bar };
        if watched {
            bar.set_style(style(unit, total > 0));
            bar.set_message(what);
            bar.enable_steady_tick(Duration::from_millis(200));
        } else {
            bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        }
        Self { what, bar, lines: (!watched).then(|| Mutex::new((Instant::now(), 0))) }
    }

    /// Adds `count` units to those done.
    pub fn add(&self, count: u64) {
        self.bar.inc(count);
        self.print_line();
    }

    /// Sets the number of units done.
    pub fn set(&self, count: u64) {
        self.bar.set_position(count);
        self.print_line();
    }

    /// Removes the bar. The caller reports the result.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }

    /// Calls `print` while the bar is hidden.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    fn print_line(&self) {
        // If another thread holds the lock, that thread prints the line.
        let Some(mut last) = self.lines.as_ref().and_then(|last| last.try_lock().ok()) else { return };
        let (done, per_second) = (self.bar.position(), self.bar.per_sec());
        if last.0.elapsed() < EVERY || last.1 == done {
            return;
        }
        *last = (Instant::now(), done);
        match self.bar.length() {
            Some(total) => log::info!(
                "{}: {done} of {total} ({} %), {per_second:.0}/s, {} s left",
                self.what,
                100 * done / total.max(1),
                self.bar.eta().as_secs()
            ),
            None => log::info!("{}: {done}, {per_second:.0}/s", self.what),
        }
    }
}

fn style(unit: Unit, bounded: bool) -> ProgressStyle {
    // The templates are constants, and the test below parses each of them.
    let style = ProgressStyle::with_template(template(unit, bounded));
    style.unwrap_or_else(|_| ProgressStyle::default_bar()).with_key(
        "rate",
        |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            // Writing to the bar's own text cannot fail.
            let _ = write!(out, "{:.0}/s", state.per_sec());
        },
    )
}

fn template(unit: Unit, bounded: bool) -> &'static str {
    match (unit, bounded) {
        (Unit::Pieces, true) => "{msg} {bar:30} {human_pos} of {human_len} ({percent} %), {rate}, {eta} left",
        (Unit::Pieces, false) => "{msg} {spinner} {human_pos}, {rate}",
        (Unit::Bytes, true) => {
            "{msg} {bar:30} {bytes} of {total_bytes} ({percent} %), {bytes_per_sec}, {eta} left"
        }
        (Unit::Bytes, false) => "{msg} {spinner} {bytes}, {bytes_per_sec}",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_parses() {
        for unit in [Unit::Pieces, Unit::Bytes] {
            for bounded in [true, false] {
                assert!(ProgressStyle::with_template(template(unit, bounded)).is_ok());
            }
        }
    }

    #[test]
    fn reports_from_many_threads_add_up() {
        let progress = ProgressDisplay::start(&MultiProgress::new(), "testing", 40, Unit::Pieces);
        std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(|| progress.add(10)))));
        assert_eq!(progress.bar.position(), 40);
    }
}
