//! A disk without room, for as long as nobody makes some.

use std::{fs, process::Command, time::Duration};

use crate::{process::Running, site::Site};

/// A disk of 8 MiB that only the script sees, with so little room that not all signatures fit.
const DISK: &str = r#"
set -e
mkdir disk
mount -t tmpfs -o size=8m tmpfs disk
export SIGNWAVE_DATABASE=disk/signwave.db
"$0" seed --records 3000 --keys 2
head -c $(($(df --output=avail -B1 disk | tail -n 1) - 300000)) /dev/zero >disk/filler
"#;

const SERVE: &str = r#"
"$0" serve --batch-size 50 2>log &
until [ $(grep -c 'the disk is full' log) -gt 2 ]; do sleep 0.02; done
"$0" status --json >full
rm disk/filler
until "$0" status --json | grep -q '"waiting": 0'; do sleep 0.02; done
kill -TERM $!
wait $!
"$0" verify
"#;

const SIGN: &str = r#"
if "$0" sign --batch-size 50 2>log; then exit 9; fi
"$0" status --json >full
"$0" verify
rm disk/filler
"$0" sign --batch-size 50
"$0" verify
"#;

#[test]
fn a_service_goes_on_when_there_is_room_again() {
    let (log, full) = on_a_small_disk(SERVE);
    assert!(log.contains("again, after") || log.contains("stopped; signed 3000"), "{log}");
    println!("{full}");
}

#[test]
fn signing_can_be_finished_when_there_is_room_again() {
    let (log, full) = on_a_small_disk(SIGN);
    assert!(log.contains("signwave: the disk is full: make room and run the command again"), "{log}");
    println!("{full}");
}

/// Runs a script that ends well; returns the log, and the status while the disk was full.
fn on_a_small_disk(script: &str) -> (String, String) {
    let site = Site::empty();
    let mut command = Command::new("unshare");
    // Its own process numbers, so that nothing outlives the script.
    command.args(["-rmp", "--fork", "--kill-child", "sh", "-c"]).arg(DISK.to_owned() + script);
    command.arg(site.command(&[]).get_program()).current_dir(site.folder());
    let mut process = Running::start(command, site.path("said"));
    assert_eq!(process.wait(Duration::from_secs(60)), Some(0), "{}", process.log());
    assert!(process.log().contains("verified    3000 signatures"), "{}", process.log());
    let read = |name| fs::read_to_string(site.path(name)).unwrap();
    (read("log"), read("full"))
}
