//! A disk without room, under the anchor or under the database beside it, until somebody makes some.

use std::{fs, process::Command};

use support::{process::Running, site::Site, store::MINUTE};

/// What a place is: `confined` runs a program with so little room that not all fits, `make_room` lets it go on.
pub type Place = &'static str;

/// The folder `small` is a disk of 8 MiB that only the script sees.
pub const SMALL_DISK: Place = r#"
mount -t tmpfs -o size=8m tmpfs small
prepare
head -c $(($(df --output=avail -B1 small | tail -n 1) - ROOM)) /dev/zero >small/filler
confined() { exec "$@"; }
make_room() { rm small/filler; }
"#;

/// No file may become much longer than the anchor is, whose last head is repeated so often that no other file is as long.
const LONG_ANCHOR: Place = r#"
prepare
set -- $(grep ^H "$ANCHOR" | tail -n 1)
yes "S $2 $3" | head -n 100000 >>"$ANCHOR"
confined() { trap '' XFSZ; ulimit -S -f $(($(stat -c %s "$ANCHOR") / 512 + 8)); exec "$@"; }
make_room() { prlimit --fsize=unlimited: --pid "$1"; }
"#;

/// No file may become longer than 500 KB, which the anchor is not.
const SMALL_FILES: Place = r#"
prepare
confined() { trap '' XFSZ; ulimit -S -f 1000; exec "$@"; }
make_room() { prlimit --fsize=unlimited: --pid "$1"; }
"#;

/// One batch is signed, so that the anchor is there.
const PREPARE: &str = r#"
set -e
mkdir -p small
prepare() {
    "$0" seed --records 1 --keys 2
    "$0" sign --anchor "$ANCHOR"
    "$0" seed --records 201
}
"#;

/// A service waits while it is short of room, and goes on when there is some. Both times the anchor knows all that was committed.
const SERVE: &str = r#"
(confined "$0" serve --batch-size 5 --anchor "$ANCHOR") 2>log &
until [ $(grep -c "$SHORT" log) -gt 2 ]; do sleep 0.02; done
"$0" status --json >short
"$0" verify --anchor "$ANCHOR" >verified-short
make_room $!
until "$0" status --json | grep -q '"waiting": 0'; do sleep 0.02; done
kill -TERM $!
wait $!
"$0" verify --anchor "$ANCHOR" >verified
"#;

/// Runs the script with the anchor and the database at these paths. The service says `shortage` when it is short of room.
fn run(place: Place, [anchor, database]: [&str; 2], shortage: &str) {
    let site = Site::empty();
    let mut command = script(&[PREPARE, place, SERVE].concat(), &site);
    command.env("ANCHOR", anchor).env("SIGNWAVE_DATABASE", database).env("SHORT", shortage);
    command.env("ROOM", if anchor.starts_with("small/") { "0" } else { "300000" });
    let mut process = Running::start(command, site.path("said"));
    let read = |name: &str| fs::read_to_string(site.path(name)).unwrap_or_default();
    assert_eq!(process.wait(MINUTE), Some(0), "{}{}", process.log(), read("log"));
    let short: serde_json::Value = serde_json::from_str(&read("short")).unwrap();
    let waiting = short["records"]["waiting"].as_u64().unwrap();
    assert!((1..=200).contains(&waiting), "{short}");
    for verified in [read("verified-short"), read("verified")] {
        let line = verified.lines().find_map(|line| line.strip_prefix("anchored    ")).unwrap();
        let line = line.strip_suffix(" entries of the ledger").unwrap();
        let (anchored, entries) = line.split_once(" of ").unwrap();
        assert_eq!(anchored, entries, "all that was committed is anchored");
        assert!(verified.contains("problems    none"), "{verified}");
    }
    assert!(read("log").contains("stopped; signed 200 records"), "{}", read("log"));
}

#[test]
fn a_service_waits_for_room_on_the_disk_of_its_anchor() {
    let paths = ["small/anchor", "signwave.db"];
    run(LONG_ANCHOR, paths, "the anchor 'small/anchor': File too large");
    if may_mount() {
        run(SMALL_DISK, paths, "the disk of the anchor 'small/anchor' is full");
    }
}

#[test]
fn a_commit_that_finds_no_room_is_no_commit_for_the_anchor() {
    let paths = ["anchor", "small/signwave.db"];
    run(SMALL_FILES, paths, "the outcome of a commit is unknown");
    if may_mount() {
        run(SMALL_DISK, paths, "the disk is full");
    }
}

/// Some containers forbid to mount a disk.
pub fn may_mount() -> bool {
    script("mkdir small && mount -t tmpfs tmpfs small", &Site::empty()).output().unwrap().status.success()
}

/// A shell script whose disks and processes are its own, so that nothing outlives it.
pub fn script(text: &str, site: &Site) -> Command {
    let mut command = Command::new("unshare");
    command.args(["-rmp", "--fork", "--kill-child", "sh", "-c", text]);
    command.arg(site.command(&[]).get_program()).current_dir(site.folder());
    command
}
