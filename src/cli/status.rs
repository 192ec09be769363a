//! `signwave status`: shows the progress of the work.

use std::{
    collections::VecDeque,
    io::{self, Write},
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::{context::Context, other_engine, webhooks};
use crate::{
    domain::WebhookState,
    formats::shown::{self, field, json_line},
    signer::Engine,
    store::{self, NodeRow, OutletRow, Reading, Store, WebhookRow},
};

/// Show the progress of the work.
#[derive(Args, Debug)]
#[command(after_help = "\
While nodes are at work, the command takes a second to measure the rate.

Examples:
  signwave status
  signwave status --watch
  signwave status --json | jq .records.waiting")]
pub struct Status {
    /// Print the status every second, until stopped
    #[arg(long)]
    watch: bool,
    /// Print a JSON object (with --watch: one per line)
    #[arg(long)]
    json: bool,
}

/// The time between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// The number of looks over which the rate is measured.
const WINDOW: usize = 10;

impl Status {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        let store = context.open_to_read()?.store;
        let mut looks = Looks::default();
        let mut status = looks.look(store.as_ref())?;
        if !self.watch {
            if !status.nodes.is_empty() && status.waiting() > 0 {
                thread::sleep(PAUSE);
                status = looks.look(store.as_ref())?;
            }
            self.print(&status, &looks, &outlets(store.as_ref())?)?;
            return if self.json { Ok(()) } else { print_hint(context.signer()) };
        }
        loop {
            self.print(&status, &looks, &outlets(store.as_ref())?)?;
            thread::sleep(PAUSE);
            status = looks.look(store.as_ref())?;
        }
    }

    fn print(&self, status: &store::Status, looks: &Looks, outlets: &[Outlet]) -> Result<()> {
        let (rate, mut out) = (looks.rate(), io::stdout().lock());
        match (self.json, self.watch) {
            (true, true) => writeln!(out, "{}", json_line(&as_json(status, rate, outlets)))?,
            (true, false) => writeln!(out, "{}", shown::json(&as_json(status, rate, outlets)))?,
            (false, true) => writeln!(out, "{}", one_line(status, rate))?,
            (false, false) => {
                print(status, rate, &mut out)?;
                print_outlets(outlets, &mut out)?;
            }
        }
        Ok(())
    }
}

/// How many records were signed, and when. The rate is measured over the last looks.
#[derive(Default)]
struct Looks(VecDeque<(Instant, u64)>);

impl Looks {
    fn look(&mut self, store: &dyn Reading) -> Result<store::Status> {
        let status = store.status()?;
        self.0.push_back((Instant::now(), status.signed));
        if self.0.len() > WINDOW {
            self.0.pop_front();
        }
        Ok(status)
    }

    /// Records signed per second; `None` before the second look.
    fn rate(&self) -> Option<f64> {
        let ((first, before), (last, after)) = (self.0.front()?, self.0.back()?);
        let seconds = last.duration_since(*first).as_secs_f64();
        (seconds > 0.0).then(|| after.saturating_sub(*before) as f64 / seconds)
    }
}

/// A way out of the feed.
struct Outlet {
    row: OutletRow,
    /// Batches of the feed behind its position; `None` if that is not one of the feed.
    lag: Option<i64>,
}

/// The ways out of the feed, and how far each is.
fn outlets(store: &dyn Store) -> Result<Vec<Outlet>> {
    let rows = store.outlets()?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let end = store.sequence()?;
    let lag = |row: &OutletRow| {
        let lag = end.last.0 - row.position.place.0;
        (row.position.feed == end.feed && lag >= 0).then_some(lag)
    };
    Ok(rows.into_iter().map(|row| Outlet { lag: lag(&row), row }).collect())
}

/// A line for each way out.
fn print_outlets(outlets: &[Outlet], out: &mut impl Write) -> io::Result<()> {
    for (number, Outlet { row, lag }) in outlets.iter().enumerate() {
        let label = if number == 0 { "outlets" } else { "" };
        let (name, position) = (field(&row.name), row.position);
        let lag = match lag {
            Some(lag) => format!("{lag} batches behind the feed"),
            None => "not a position of this feed: the database was restored or replaced".to_owned(),
        };
        let holder = row.holder.map_or("no node".to_owned(), |node| format!("node {node}"));
        writeln!(out, "{label:8} {name} at {position}, {lag}, used by {holder}")?;
    }
    Ok(())
}

fn seconds_left(status: &store::Status, rate: Option<f64>) -> Option<u64> {
    rate.filter(|rate| *rate > 0.0).map(|rate| (status.waiting() as f64 / rate).ceil() as u64)
}

fn print(status: &store::Status, rate: Option<f64>, out: &mut impl Write) -> io::Result<()> {
    let (batches, keys) = (status.batches, status.keys);
    writeln!(out, "records  {} signed of {}, {} waiting", status.signed, status.records(), status.waiting())?;
    writeln!(
        out,
        "batches  {} signed, {} leased, {} open; {} records not in a batch yet",
        batches.signed, batches.leased, batches.open, status.unbatched
    )?;
    if batches.lost > 0 {
        let (batches, records) = (batches.lost, status.lost);
        writeln!(out, "lost     {batches} batches with {records} records, which are not signed again")?;
    }
    if let Some(why) = status.ledger.as_ref().and_then(|ledger| ledger.halted.as_deref()) {
        writeln!(out, "ledger   halted: {}", field(why))?;
    }
    writeln!(
        out,
        "keys     {} active, {} disabled, {} retired, {} suspended",
        keys.active, keys.disabled, keys.retired, keys.suspended
    )?;
    if status.barred.total() > 0 {
        writeln!(
            out,
            "         {} of the active keys may not sign now: {}",
            status.barred.total(),
            status.barred
        )?;
    }
    for (custodian, keys) in status.unreachable() {
        let custodian = field(custodian);
        writeln!(out, "         {keys} active in the custody of {custodian}, which no node at work can use")?;
    }
    if status.refused > 0 {
        writeln!(out, "refused  {} messages of a broker: see 'signwave refused list'", status.refused)?;
    }
    print_webhooks(&status.webhooks, out)?;
    print_nodes(&status.nodes, out)?;
    if let Some(rate) = rate {
        write!(out, "rate     {rate:.0} records/s")?;
        seconds_left(status, Some(rate))
            .iter()
            .try_for_each(|seconds| write!(out, ", {} left", duration(*seconds)))?;
        writeln!(out)?;
    }
    Ok(())
}

/// Says what the engine that is not in use would bring, if this CPU has what it needs.
fn print_hint(signer: Engine) -> Result<()> {
    let Some(hint) = other_engine::hint(signer) else { return Ok(()) };
    Ok(writeln!(io::stdout(), "engine   {hint}")?)
}

/// How many webhooks there are and how far they lag, and a line for each that has a problem.
fn print_webhooks(webhooks: &[WebhookRow], out: &mut impl Write) -> io::Result<()> {
    let Some(lag) = webhooks.iter().map(|row| row.lag).max() else { return Ok(()) };
    let enabled = webhooks.iter().filter(|row| row.state == WebhookState::Enabled).count();
    let disabled = webhooks.len() - enabled;
    writeln!(out, "webhooks {enabled} enabled, {disabled} disabled, {lag} batches behind at most")?;
    for WebhookRow { name, state, reason, failures, .. } in webhooks {
        let reason = reason.as_deref().map_or_else(String::new, field);
        match (state, failures) {
            (WebhookState::Enabled, 0) => {}
            (WebhookState::Enabled, _) => {
                writeln!(out, "         {name} fails, {failures} times in a row: {reason}")?;
            }
            (WebhookState::Disabled, _) => writeln!(
                out,
                "         {name} is disabled: {reason}; 'signwave webhooks enable {name}' enables it"
            )?,
        }
    }
    Ok(())
}

/// A line for each node, in columns, with the number of its batches.
fn print_nodes(nodes: &[NodeRow], out: &mut impl Write) -> io::Result<()> {
    if nodes.is_empty() {
        return writeln!(out, "nodes    none at work");
    }
    writeln!(out, "nodes    {} at work", nodes.len())?;
    let widest =
        |text: fn(&NodeRow) -> String| nodes.iter().map(|node| text(node).chars().count()).max().unwrap_or(0);
    let (id_width, name_width) = (widest(|node| node.id.to_string()), widest(|node| field(&node.name)));
    let count_width = widest(|node| node.batches.to_string());
    for NodeRow { id, name, started_at, batches, .. } in nodes {
        let (id, name, started_at) = (id.to_string(), field(name), field(started_at));
        writeln!(
            out,
            "         {id:>id_width$} {name:name_width$} {batches:>count_width$} batches, since {started_at}"
        )?;
    }
    Ok(())
}

fn one_line(status: &store::Status, rate: Option<f64>) -> String {
    let left = seconds_left(status, rate)
        .map_or_else(String::new, |seconds| format!(", {} left", duration(seconds)));
    format!(
        "{} of {} records signed, {} batches leased, {} nodes, {:.0} records/s{left}",
        status.signed,
        status.records(),
        status.batches.leased,
        status.nodes.len(),
        rate.unwrap_or(0.0)
    )
}

fn duration(seconds: u64) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(seconds))
}

fn as_json(status: &store::Status, rate: Option<f64>, outlets: &[Outlet]) -> Value {
    let (batches, keys) = (status.batches, status.keys);
    let nodes: Vec<_> = status
        .nodes
        .iter()
        .map(|node| {
            json!({
                "id": node.id.0,
                "name": node.name,
                "batches": node.batches,
                "started_at": node.started_at,
                "lease_until": node.lease_until,
                "custodians": node.reach.names().collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "records": {
            "total": status.records(),
            "signed": status.signed,
            "waiting": status.waiting(),
            "leased": status.leased,
            "open": status.open,
            "unbatched": status.unbatched,
            "lost": status.lost,
        },
        "ledger": status.ledger.as_ref().map(|ledger| json!({
            "origin": ledger.origin.to_string(),
            "entries": ledger.head.size,
            "root": ledger.head.root.to_string(),
            "halted": ledger.halted,
        })),
        "batches": {"open": batches.open, "leased": batches.leased, "signed": batches.signed, "lost": batches.lost},
        "keys": {
            "active": keys.active,
            "disabled": keys.disabled,
            "retired": keys.retired,
            "suspended": keys.suspended,
            "not_yet_valid": status.barred.not_yet_valid,
            "expired": status.barred.expired,
            "exhausted": status.barred.exhausted,
            "unreachable": status.unreachable().map(|(_, keys)| keys).sum::<u64>(),
        },
        "refused": status.refused,
        "outlets": outlets.iter().map(outlet_as_json).collect::<Vec<_>>(),
        "nodes": nodes,
        "webhooks": status.webhooks.iter().map(webhooks::as_json).collect::<Vec<_>>(),
        "records_per_second": rate,
        "seconds_left": seconds_left(status, rate),
    })
}

fn outlet_as_json(Outlet { row, lag }: &Outlet) -> Value {
    json!({
        "name": row.name,
        "position": row.position.to_string(),
        "lag_batches": lag,
        "node": row.holder.map(|node| node.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{NodeId, Reach};

    #[test]
    fn several_nodes_stand_in_columns_with_what_they_hold() {
        let node = |id, name: &str, batches| NodeRow {
            id: NodeId(id),
            name: name.to_owned(),
            started_at: "2026-11-22T12:00:00.000Z".to_owned(),
            lease_until: "2026-11-22T12:00:30.000Z".to_owned(),
            batches,
            reach: Reach::default(),
        };
        let nodes = [node(9, "alpha-1234", 12), node(10, "beta-7", 0)];
        let mut shown = Vec::new();
        print_nodes(&nodes, &mut shown).unwrap();
        assert_eq!(
            String::from_utf8(shown).unwrap(),
            "nodes    2 at work\n\
             \x20         9 alpha-1234 12 batches, since 2026-11-22T12:00:00.000Z\n\
             \x20        10 beta-7      0 batches, since 2026-11-22T12:00:00.000Z\n"
        );
        let json = as_json(&store::Status { nodes: nodes.to_vec(), ..store::Status::default() }, None, &[]);
        assert_eq!(json["nodes"][1]["name"], "beta-7");
        assert_eq!(json["nodes"][0]["batches"], 12);
    }

    #[test]
    fn the_rate_is_that_of_the_last_looks_and_gives_the_time_left() {
        let start = Instant::now();
        let looks = Looks([(start, 100), (start + Duration::from_secs(2), 300)].into());
        assert_eq!(looks.rate(), Some(100.0));
        let status = store::Status { signed: 300, open: 250, ..store::Status::default() };
        assert_eq!(seconds_left(&status, looks.rate()), Some(3));
        assert_eq!(seconds_left(&status, Some(0.0)), None);
        assert_eq!(Looks::default().rate(), None);
    }
}
