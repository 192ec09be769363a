//! A queue that holds far more than the intake may hold in memory.

use std::time::Duration;

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use support::{
    process::Running,
    waiting::{lasting, until},
};

use crate::{
    OneBroker, SOON,
    client::{Message, declare, publish},
    place::Place,
};

const PAYLOAD: usize = 16 << 10;
const MESSAGES: usize = 12_000;
const PREFETCH: usize = 500;

#[test]
fn memory_is_bounded_by_the_prefetch_however_much_waits_in_the_queue() {
    let (broker, queue, place) = (OneBroker::take(), "pressure", Place::sqlite());
    declare(&broker.url(), queue);
    let message = |number: usize| -> Message {
        (Some(format!("p-{number}")), number.to_string().repeat(PAYLOAD)[..PAYLOAD].into())
    };
    let intake = place.take_in(&broker.queue(queue, &format!("&prefetch={PREFETCH}")));
    publish(&broker.url(), queue, &[message(0)]);
    place.until_records(1);
    // Nothing is stored for a while, so that the intake can only gather.
    let path = place.sandbox.path("signwave.db");
    let mut writer = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    writer.batch_execute("PRAGMA busy_timeout = 60000; BEGIN IMMEDIATE").unwrap();
    for chunk in 0..MESSAGES / 1000 {
        let messages: Vec<_> = (chunk * 1000..(chunk + 1) * 1000).map(message).collect();
        publish(&broker.url(), queue, &messages);
    }
    lasting(Duration::from_millis(700)); // the broker's counts are half a second old
    let (ready, under_way) = broker.counts(queue);
    assert!(under_way <= PREFETCH as u64, "{under_way} messages are under way, and {ready} wait");
    drop(writer);
    until("all become records", SOON * 2, || place.records() == MESSAGES as i64);
    let peak = peak(intake.id());
    let limit = PREFETCH * PAYLOAD + (100 << 20);
    assert!(MESSAGES * PAYLOAD > limit, "otherwise this proves nothing");
    println!("measured: {} MiB at most, of {} MiB", peak >> 20, limit >> 20);
    assert!(peak < limit, "{peak} bytes of {limit}");
    place.until_empty(&broker, queue);
}

/// The most memory that a process has had, in bytes.
fn peak(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

#[test]
fn a_producer_ten_times_as_fast_as_signing_does_not_hold_it_up() {
    let (broker, queue, place) = (OneBroker::take(), "flood", Place::sqlite());
    declare(&broker.url(), queue);
    for key in ["1", "2"] {
        place.ok(&["keys", "disable", key]);
    }
    place.ok(&["keys", "generate", "--bits", "4096"]);
    // SQLite has one writer, for the messages, the leases and the signatures. The slowest signer is left behind also where
    // the processor has little time for the producer.
    let mut command = place.command(&[
        "serve",
        "--listen",
        "none",
        "--signer",
        "rsa",
        "--signers",
        "1",
        "--batch-size",
        "50",
    ]);
    command.env("SIGNWAVE_INTAKE", broker.queue(queue, ""));
    let service = Running::start(command, place.log());
    let signed = || place.number("SELECT count(*) FROM signature");
    let mut sent = 0;
    until("signing is left behind", SOON * 2, || {
        let named = |number| (Some(format!("f-{number}")), vec![b'x'; 100]);
        publish(&broker.url(), queue, &(sent..sent + 1000).map(named).collect::<Vec<_>>());
        sent += 1000;
        signed() >= 200 && place.records() >= 10 * signed()
    });
    place.until_records(sent);
    place.until_empty(&broker, queue);
    let before = signed();
    until("signing goes on", SOON, || signed() > before);
    assert!(!service.log().contains("WARN"), "no lease and no commit has failed: {}", service.log());
    println!("measured: {sent} messages were taken in while {before} records were signed");
}
