//! `signwave seed`: adds test keys and test records.

use anyhow::{Result, bail};
use clap::Args;

use super::{
    context::{Context, Database},
    keys::{generate::generate_keys, rows::NewKeys},
    progress::Unit,
};
use crate::{
    domain::{DigestAlgorithm, InsertVerdict, KeyLimits},
    signer::digest,
    store::{NewRecord, OnConflict, Store},
};

/// Fill a database with test keys and test records.
#[derive(Args, Debug)]
#[command(after_help = "\
Makes the database if there is none. The records are called seed-1, seed-2, .. Their payloads look
random but are always the same, so that a second run adds only the missing records. Keys are new
each time.

Examples:
  signwave seed --records 100000 --keys 100
  signwave seed --records 1000 --payload-size 1048576")]
pub struct Seed {
    /// How many test records the database should have
    #[arg(long, value_name = "N", default_value_t = 0)]
    records: u64,
    /// How many keys to add
    #[arg(long, value_name = "K", default_value_t = 0)]
    keys: usize,
    /// Size of the keys: 2048, 3072, 4096 or 8192 bits
    #[arg(long, value_name = "BITS", default_value_t = 2048)]
    bits: u32,
    /// Bytes per payload, up to 16 MiB
    #[arg(long, value_name = "BYTES", default_value_t = 256, value_parser = clap::value_parser!(u32).range(..=16 << 20))]
    payload_size: u32,
}

impl Seed {
    /// Runs the command.
    pub fn run(&self, context: &Context) -> Result<()> {
        let database = context.create()?;
        add_keys(context, &database, self.keys, self.bits)?;
        let added =
            add_records(context, database.store.as_ref(), (1, self.records), self.payload_size as usize)?;
        log::info!("added {} keys and {added} records to {}", self.keys, database.url);
        Ok(())
    }
}

/// Adds `count` new keys.
pub fn add_keys(context: &Context, database: &Database, count: usize, bits: u32) -> Result<()> {
    if count > 0 {
        let masters = context.master_keys(database)?;
        let new = NewKeys { count, bits, limits: KeyLimits::default() };
        generate_keys(context, database.store.as_ref(), &masters, &new, &|_| Ok(()))?;
    }
    Ok(())
}

/// Adds the records `seed-{first}` to `seed-{last}` that are not there yet; returns how many.
pub fn add_records(
    context: &Context,
    store: &dyn Store,
    (first, last): (u64, u64),
    payload_size: usize,
) -> Result<u64> {
    // At most about 4 MiB, and 1000 records, at a time.
    let chunk = ((4 << 20) / payload_size.max(1)).clamp(1, 1000) as u64;
    let progress = context.progress("adding records", last + 1 - first, Unit::Pieces);
    let mut added = 0;
    for first in (first..=last).step_by(usize::try_from(chunk)?) {
        let ids = first..=last.min(first + chunk - 1);
        let rows: Vec<_> = ids.map(|i| (format!("seed-{i}"), payload(i, payload_size))).collect();
        let records: Vec<_> =
            rows.iter().map(|(id, payload)| NewRecord { external_id: Some(id), payload }).collect();
        for (verdict, (id, _)) in store.insert_records(&records, OnConflict::Stop)?.into_iter().zip(&rows) {
            match verdict {
                InsertVerdict::Inserted(_) => added += 1,
                InsertVerdict::AlreadyThere(_) => {}
                InsertVerdict::Conflict => bail!(
                    "record {id} is there with another payload: use the --payload-size of the first run, or \
                     another database"
                ),
            }
        }
        progress.add(rows.len() as u64);
    }
    progress.finish();
    Ok(added)
}

/// The payload of record `seed-{number}`: a SHA-256 stream, the same on every machine.
fn payload(number: u64, size: usize) -> Vec<u8> {
    let mut payload = Vec::with_capacity(size + 32);
    for block in 0_u64.. {
        if payload.len() >= size {
            break;
        }
        let input = [b"signwave seed".as_slice(), &number.to_be_bytes(), &block.to_be_bytes()].concat();
        payload.extend_from_slice(digest(DigestAlgorithm::Sha256, &input).as_bytes());
    }
    payload.truncate(size);
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_have_their_size_and_are_all_different() {
        let payloads: std::collections::HashSet<_> = (1..=100).map(|i| payload(i, 100)).collect();
        assert_eq!(payloads.len(), 100);
        for size in [0, 1, 31, 32, 33, 1000] {
            assert_eq!(payload(7, size).len(), size);
            assert_eq!(payload(7, size), payload(7, 1000)[..size]);
        }
    }
}
