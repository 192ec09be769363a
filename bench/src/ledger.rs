//! The ledger: what an anchor costs, and what receipts take of the processor.

use std::{hint::black_box, path::Path, time::Instant};

use anyhow::Result;
use diesel::{
    Connection as _, PgConnection, RunQueryDsl as _, SqliteConnection, dsl::sql, select, sql_types::BigInt,
};
use signwave::{
    config::Settings,
    domain::{BatchId, Contents, Epoch, KeyId, NodeId, OpenBatch, RecordId, Runs, Scheme, SignatureBuf},
    signer::digest,
    store::DatabaseUrl,
};

use crate::{
    feed::three_nodes,
    figure::{Figure, Goal},
    lab::{Lab, Signers, Template},
};

/// Records whose receipts are made to measure their cost.
const RECEIPTS: usize = 200_000;

/// The same with an anchor ÷ without. On PostgreSQL, by three nodes with an anchor each.
pub fn anchored(lab: &Lab, template: &Template, folder: &Path, repeat: u16) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (batch_size, least, least_of_three) in [(1000, 0.995, 0.95), (10, 0.98, 0.95)] {
        let settings = Settings { batch_size, ..Settings::default() };
        let mut ratios = Vec::new();
        for round in 1..=repeat {
            let timed = |anchored: bool| seconds(lab, template, &settings, anchored.then_some(folder));
            let before = timed(false)?;
            let with = timed(true)?;
            let ratio = (before + timed(false)?) / 2.0 / with;
            log::info!("anchor, batch {batch_size}, round {round}: {ratio:.3} of the rate without");
            ratios.push(ratio);
        }
        let (who, least) = match lab.scratch.is_server() {
            true => ("three nodes, each with an anchor", least_of_three),
            false => ("with an anchor", least),
        };
        let name = format!("{who} ÷ without, batch {batch_size}");
        figures.push(Figure::new(name, Some(Goal::AtLeast(least)), ratios));
    }
    Ok(figures)
}

/// How long it takes to sign a copy of `template`, in seconds. Copies have the same ledger, so each run has other anchors.
fn seconds(lab: &Lab, template: &Template, settings: &Settings, anchors: Option<&Path>) -> Result<f64> {
    let folder = anchors.map(tempfile::tempdir_in).transpose()?;
    let anchor = folder.iter().map(|folder| folder.path().join("anchor").into()).collect();
    let settings = &Settings { anchor, ..settings.clone() };
    match lab.scratch.is_server() {
        true => three_nodes(lab, template, settings, None),
        false => Ok(lab.sign(template, settings, Signers::Real)?.seconds),
    }
}

/// The time that a core needs for the receipt of a record, in µs: both hashes, and those of the tree.
pub fn receipts(repeat: u16) -> Result<Vec<Figure>> {
    let records: Runs = (1..=1000).map(RecordId).collect();
    let mut times = Vec::new();
    for _ in 0..repeat {
        let made: Vec<_> = (0..RECEIPTS / 1000).map(|batch| batch_of(batch as i64, &records)).collect();
        let begun = Instant::now();
        for (lease, contents, signatures) in made {
            black_box(lease.signed(&contents, signatures).map(|batch| batch.root())?);
        }
        times.push(begun.elapsed().as_secs_f64() * 1e6 / RECEIPTS as f64);
    }
    Ok(vec![Figure::new("µs of a core for the receipt of a record", Some(Goal::AtMost(0.7)), times)])
}

/// The bytes by which the receipt of a record lets the database grow, in batches of 1000.
pub fn stored(lab: &Lab, template: &Template) -> Result<Vec<Figure>> {
    let name = lab.copy(template)?;
    let before = size(lab, &name)?;
    lab.sign_at(&name, template, template.records, &Settings::default(), Signers::Noop)?;
    let bytes = (size(lab, &name)? - before) as f64 / template.records as f64;
    lab.scratch.remove(&name)?;
    let name = "bytes of the database for the receipt of a record";
    Ok(vec![Figure::new(name, Some(Goal::AtMost(0.2)), vec![bytes])])
}

/// The bytes of all receipts with their indexes.
fn size(lab: &Lab, name: &str) -> Result<i64> {
    Ok(match lab.scratch.url(name)? {
        DatabaseUrl::Sqlite(path) => {
            let bytes = sql::<BigInt>("(SELECT sum(pgsize) FROM dbstat WHERE name LIKE '%receipt%')");
            select(bytes).first(&mut SqliteConnection::establish(&path.to_string_lossy())?)?
        }
        DatabaseUrl::Postgres(url) => {
            let bytes = sql::<BigInt>("pg_total_relation_size('receipt')");
            select(bytes).first(&mut PgConnection::establish(&url)?)?
        }
    })
}

fn batch_of(id: i64, records: &Runs) -> (signwave::domain::Lease, Contents, SignatureBuf) {
    let open = OpenBatch { id: BatchId(id + 1), epoch: Epoch(0), records: records.clone() };
    let (mut contents, mut signatures) =
        (Contents::with_capacity(1000), SignatureBuf::with_capacity(256, 1000));
    for record in records.iter() {
        contents.push(digest(Scheme::Ps256.digest(), &record.0.to_be_bytes()), Some("a name of a record"));
        signatures.push_zeroed()[..8].copy_from_slice(&record.0.to_be_bytes());
    }
    (open.lease(KeyId(1), NodeId(1), Scheme::Ps256), contents, signatures)
}
