//! A disk without room under 'ledger accept' and 'ledger heal', until somebody makes some.

use std::fs;

use support::{process::Running, site::Site, store::MINUTE};

use crate::full::{Place, SMALL_DISK, may_mount, script};

/// Thirty records are signed. A copy was made when twenty of them were there, and ten signed, and is put back.
const PREPARE: &str = r#"
set -e
mkdir -p small
state() { "$0" status --json; "$0" ledger lost; "$0" export; sha256sum "$ANCHOR"; }
sign() { "$0" sign --batch-size 5 --signers 1 --prefetch 1 --anchor "$ANCHOR"; }
# A process may end before the log is copied into the file.
keep() { rm -f "$2" "$2-wal" "$2-shm"; cp "$1" "$2"; if [ -e "$1-wal" ]; then cp "$1-wal" "$2-wal"; fi; }
prepare() {
    "$0" seed --records 10 --keys 2
    sign
    "$0" seed --records 20
    keep "$SIGNWAVE_DATABASE" old
    "$0" seed --records 30
    sign
    "$0" export --as bundle --with-payload -o bundles
    "$0" export -o lost
    keep old "$SIGNWAVE_DATABASE"
    state >before
}
"#;

/// No file may become longer than 16 KB. What is longer already can be overwritten.
const SHORT_FILES: Place = r#"
prepare
confined() { trap '' XFSZ; ulimit -S -f 32; exec "$@"; }
make_room() { true; }
"#;

/// The anchor is the longest of all files by far, as it repeats its last head, and may not become longer.
const LONG_ANCHOR: Place = r#"
prepare
set -- $(grep ^H "$ANCHOR" | tail -n 1)
yes "S $2 $3" | head -n 100000 >>"$ANCHOR"
confined() { trap '' XFSZ; ulimit -S -f $(($(stat -c %s "$ANCHOR") / 512)); exec "$@"; }
make_room() { true; }
"#;

/// The command fails; then nothing is signed with the anchor until the command has ended well.
const RESTORE: &str = r#"
if (confined "$0" ledger $RESTORE --anchor "$ANCHOR" --yes) 2>log; then exit 9; fi
make_room
"$0" verify
state >after
if sign; then exit 9; fi
"$0" ledger $RESTORE --anchor "$ANCHOR" --yes
"#;

/// Nothing that was lost is signed again.
const ACCEPTED: &str = r#"
"$0" seed --records 32
sign | grep '^signed 12 records'
"$0" verify --anchor "$ANCHOR" --anchor "$ANCHOR.1" | grep '^problems    none'
"#;

/// What was lost is there again.
const HEALED: &str = r#"
"$0" export | cmp - lost
"$0" verify --anchor "$ANCHOR" | grep '^problems    none'
"#;

/// Runs the script with the anchor and the database at these paths. Returns the error, and whether something had changed.
fn run(place: Place, room: u32, [anchor, database]: [&str; 2], [restore, end]: [&str; 2]) -> (String, bool) {
    let site = Site::empty();
    let mut command = script(&[PREPARE, place, RESTORE, end].concat(), &site);
    command.env("ANCHOR", anchor).env("SIGNWAVE_DATABASE", database).env("RESTORE", restore);
    command.env("ROOM", room.to_string());
    let mut process = Running::start(command, site.path("said"));
    let read = |name: &str| fs::read_to_string(site.path(name)).unwrap_or_default();
    assert_eq!(process.wait(MINUTE), Some(0), "{}{}", process.log(), read("log"));
    let log = read("log");
    let error =
        log.lines().find_map(|line| line.strip_prefix("signwave: ")).unwrap_or_else(|| panic!("{log}"));
    (error.to_owned(), read("before") != read("after"))
}

const ACCEPT: [&str; 2] = ["accept --reason why", ACCEPTED];
const HEAL: [&str; 2] = ["heal bundles", HEALED];

#[test]
fn a_database_without_room_is_neither_accepted_nor_healed_until_there_is_some() {
    let paths = ["anchor", "small/signwave.db"];
    for restore in [ACCEPT, HEAL] {
        // SQLite cannot name this error.
        let (error, has_changed) = run(SHORT_FILES, 0, paths, restore);
        assert!(error.contains("disk I/O error") && !has_changed, "{error}");
        for room in if may_mount() { &[0, 40_000][..] } else { &[] } {
            let (error, has_changed) = run(SMALL_DISK, *room, paths, restore);
            let is_named = error.contains("the disk is full: make room");
            // Without the index of its log, SQLite cannot say that there is no room for that.
            assert!(is_named || *room == 0 && error.contains("disk I/O error"), "{error}");
            // A heal is halted between its parts.
            assert!(!has_changed || restore == HEAL, "{error}");
        }
    }
}

#[test]
fn an_anchor_without_room_is_set_aside_when_there_is_some() {
    let paths = ["small/anchor", "signwave.db"];
    let (error, has_changed) = run(LONG_ANCHOR, 0, paths, ACCEPT);
    assert!(error.contains("the anchor 'small/anchor': File too large") && has_changed, "{error}");
    if may_mount() {
        let (error, has_changed) = run(SMALL_DISK, 0, paths, ACCEPT);
        assert!(error.contains("the disk of the anchor 'small/anchor' is full"), "{error}");
        assert!(has_changed, "the database has accepted it");
    }
}
