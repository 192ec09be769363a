//! Exports from a position of the feed on.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    os::fd::AsFd,
    path::PathBuf,
    str::FromStr,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use clap::Args;

use super::{BUFFER, Export, cannot_write, output::Output, state::State};
use crate::{
    cli::{
        context::{Context, Database},
        progress::Unit,
    },
    domain::{Position, PositionError},
    formats::{
        feed::{ReadError, Reader, Visit},
        signatures::{Also, Sink},
    },
    store::{Listener, Store, StoreError},
};

/// Where to begin and when to end.
#[derive(Args, Debug)]
pub struct Options {
    /// Write what comes behind this position of the feed; 0 is its start
    #[arg(long, value_name = "POSITION")]
    after: Option<After>,
    /// Wait for more signatures, until stopped
    #[arg(long, conflicts_with = "output")]
    follow: bool,
    /// The file that keeps the position. If it exists, the export begins there
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

/// A position, or 0 for the start of the feed.
#[derive(Clone, Copy, Debug)]
struct After(Option<Position>);

impl FromStr for After {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        if text == "0" { Ok(Self(None)) } else { text.parse().map(|position| Self(Some(position))) }
    }
}

/// How often the position is kept at least, while rows are written.
const KEEP: Duration = Duration::from_secs(1);
/// How often to look for more where the database sends no notifications, and where it does.
const POLL: Duration = Duration::from_millis(50);
const SELDOM: Duration = Duration::from_secs(1);

impl Options {
    /// Whether rows are wanted in the order of the feed.
    pub fn is_given(&self) -> bool {
        self.after.is_some() || self.follow || self.state.is_some()
    }
}

impl Export {
    /// Runs the command in the order of the feed.
    pub fn run_feed(&self, context: &Context, database: &Database) -> Result<()> {
        let store = database.store.as_ref();
        let state = self.feed.state.as_deref().map(State::at);
        let kept = state.as_ref().map_or(Ok(None), State::read)?;
        let after = kept.or(self.feed.after.and_then(|after| after.0));
        let mut reader = Reader::begin(store, after)??;
        match self.output.as_deref() {
            // The file appears when it is complete, so the position is kept after that.
            Some(path) => {
                Output::new(path, &database.url)?
                    .write(|out| self.write_once(store, &mut reader, out, context))?;
                state.map_or(Ok(()), |state| state.write(reader.position()))
            }
            None => self.write_on(store, &mut reader, state.as_ref(), context),
        }
    }

    fn write_once(
        &self,
        store: &dyn Store,
        reader: &mut Reader,
        out: impl Write,
        context: &Context,
    ) -> Result<()> {
        let progress = context.progress("exporting", 0, Unit::Pieces);
        let mut sink = self.sink(out)?;
        let rows = reader.read(store, self.with_payload, &mut |row| sink.write(row).map(|()| Visit::GoOn));
        progress.add(rows.map_err(described)?);
        progress.finish();
        sink.finish().map_err(cannot_write)
    }

    /// Writes to standard output, keeps the position, and waits for more if that is wanted.
    fn write_on(
        &self,
        store: &dyn Store,
        reader: &mut Reader,
        state: Option<&State>,
        context: &Context,
    ) -> Result<()> {
        // While it follows, an export can be at work for days with nothing to do.
        let progress = (!self.feed.follow).then(|| context.progress("exporting", 0, Unit::Pieces));
        let mut sink = self.sink(io::stdout().lock())?;
        let mut news = if self.feed.follow { News::of(store)? } else { News::None };
        let mut kept = None;
        loop {
            let (begun, mut wanted) = (Instant::now(), 0);
            let read = reader.read(store, self.with_payload, &mut |row| {
                wanted += 1;
                sink.write(row)?;
                let is_time = wanted % 256 == 0 && begun.elapsed() >= KEEP;
                Ok(if is_time { Visit::Enough } else { Visit::GoOn })
            });
            progress.iter().for_each(|progress| progress.add(wanted));
            // What was written before an error is written out, and is kept, too.
            sink.flush().map_err(cannot_write)?;
            if let Some(state) = state.filter(|_| kept != Some(reader.position())) {
                sync(&io::stdout()).map_err(cannot_write)?;
                // What if we die here? The rows are there, and come once more.
                state.write(reader.position())?;
                kept = Some(reader.position());
            }
            match read {
                Err(ReadError::Store(error)) if self.feed.follow && error.is_outage() => news.lost(&error),
                read => _ = read.map_err(described)?,
            }
            if !reader.is_at_end() {
                continue;
            }
            if !self.feed.follow {
                break;
            }
            news.wait_for_more(store, reader)?;
        }
        progress.into_iter().for_each(|progress| progress.finish());
        sink.finish().map_err(cannot_write)
    }

    fn sink<W: Write>(&self, out: W) -> Result<Sink<BufWriter<W>>> {
        let also = Also { payload: self.with_payload, position: true };
        Sink::new(self.format, BufWriter::with_capacity(BUFFER, out), also).map_err(cannot_write)
    }
}

/// How a follower hears of more.
enum News {
    /// It does not follow.
    None,
    /// It looks.
    Polls,
    /// The database tells it, and it looks now and then, because notifications can be lost.
    Listens(Box<dyn Listener>),
}

impl News {
    fn of(store: &dyn Store) -> Result<Self> {
        Ok(store.feed_listener()?.map_or(Self::Polls, Self::Listens))
    }

    /// Returns when the feed has more. An outage of the database is waited for.
    fn wait_for_more(&mut self, store: &dyn Store, reader: &mut Reader) -> Result<()> {
        let mut is_away = false;
        loop {
            // First look, then wait: what comes after the look is heard.
            match reader.look(store) {
                Ok(refusal) => refusal?,
                Err(error) if error.is_outage() => {
                    if !std::mem::replace(&mut is_away, true) {
                        self.lost(&error);
                    }
                    sleep(SELDOM);
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            if !reader.is_at_end() {
                return Ok(());
            }
            is_away = false;
            match self {
                Self::None | Self::Polls => sleep(POLL),
                // A listener that has lost its connection makes another at the next call.
                Self::Listens(listener) => {
                    if listener.wait(SELDOM).is_err() {
                        sleep(SELDOM);
                    }
                }
            }
        }
    }

    fn lost(&self, error: &StoreError) {
        log::warn!("the export waits for the database: {error}");
    }
}

/// Waits until what was written is on the disk, where it is a file.
fn sync(out: &impl AsFd) -> io::Result<()> {
    let file = File::from(out.as_fd().try_clone_to_owned()?);
    match file.sync_all() {
        // Pipes and terminals have nothing to sync.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}

fn described(error: ReadError) -> anyhow::Error {
    match error {
        ReadError::Visitor(error) => cannot_write(error),
        ReadError::Store(StoreError::Corrupt(text)) => anyhow!("{text}: run 'signwave verify'"),
        ReadError::Store(error) => error.into(),
    }
}
