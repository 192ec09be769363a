//! A disk without room, until somebody makes some.

use std::{fs, process::Command, time::Duration};
use support::{process::Running, site::Site};

/// Where 3000 records wait: `confined` runs a program with so little room that not all of their
/// signatures fit, `make_room` lets it go on, and `short` is what it says in between.
type Place = &'static str;

/// A disk of 8 MiB that only the script sees.
const SMALL_DISK: Place = r#"
mkdir disk
mount -t tmpfs -o size=8m tmpfs disk
"$0" seed --records 3000 --keys 2
head -c $(($(df --output=avail -B1 disk | tail -n 1) - 300000)) /dev/zero >disk/filler
confined() { exec "$@"; }
make_room() { rm disk/filler; }
short='the disk is full'
"#;

/// No file may be longer than 500 KB: the same for SQLite, but an error that it cannot name.
const SMALL_FILES: Place = r#"
mkdir disk
"$0" seed --records 3000 --keys 2
confined() { trap '' XFSZ; ulimit -S -f 1000; exec "$@"; }
make_room() { prlimit --fsize=unlimited: --pid "$1"; }
short='the outcome of a commit is unknown'
"#;

#[test]
fn a_service_goes_on_when_there_is_room_again() {
    for place in places() {
        let site = run(
            place,
            r#"
            (confined "$0" serve --batch-size 50) 2>log &
            until [ $(grep -c "$short" log) -gt 2 ]; do sleep 0.02; done
            "$0" status --json >short
            make_room $!
            until "$0" status --json | grep -q '"waiting": 0'; do sleep 0.02; done
            kill -TERM $!
            wait $!
            "$0" verify
            "#,
        );
        assert!(read(&site, "log").contains("stopped; signed 3000 records"), "{}", read(&site, "log"));
    }
}

#[test]
fn signing_can_be_finished_when_there_is_room_again() {
    for place in places() {
        let site = run(
            place,
            r#"
            if (confined "$0" sign --batch-size 50) 2>log; then exit 9; fi
            grep -q "signwave: $short" log
            "$0" status --json >short
            "$0" verify
            make_room $$
            "$0" sign --batch-size 50
            "$0" verify
            "#,
        );
        assert!(!read(&site, "log").contains("panicked"));
    }
}

/// Some containers forbid to mount a disk.
fn places() -> Vec<Place> {
    let mount = script("mkdir disk && mount -t tmpfs tmpfs disk", &Site::empty()).output().unwrap();
    if mount.status.success() { vec![SMALL_DISK, SMALL_FILES] } else { vec![SMALL_FILES] }
}

/// Runs a script that ends well, with all signed, though it was short of room before that.
fn run(place: Place, steps: &str) -> Site {
    let site = Site::empty();
    let mut command = script(&format!("set -e\n{place}{steps}"), &site);
    command.env("SIGNWAVE_DATABASE", "disk/signwave.db");
    let mut process = Running::start(command, site.path("said"));
    assert_eq!(process.wait(Duration::from_secs(60)), Some(0), "{}{}", process.log(), read(&site, "log"));
    assert!(process.log().contains("verified    3000 signatures"), "{}", process.log());
    let short: serde_json::Value = serde_json::from_str(&read(&site, "short")).unwrap();
    let waiting = short["records"]["waiting"].as_u64().unwrap();
    assert!((1..3000).contains(&waiting), "{short}");
    site
}

/// A shell script whose disks and processes are its own, so that nothing outlives it.
fn script(text: &str, site: &Site) -> Command {
    let mut command = Command::new("unshare");
    command.args(["-rmp", "--fork", "--kill-child", "sh", "-c", text]);
    command.arg(site.command(&[]).get_program()).current_dir(site.folder());
    command
}

fn read(site: &Site, name: &str) -> String {
    fs::read_to_string(site.path(name)).unwrap_or_default()
}
