//! Copies of a database in use, made as the README says, and what a copy of the file alone is.

use std::{fs, process::Command, time::Duration};

use rustix::process::Signal;
use support::{
    site::{Site, number},
    waiting::until,
};

#[test]
fn copies_of_a_database_in_use_hold_all_that_was_signed_and_can_be_worked_on() {
    let site = Site::new(2, 4096, 800);
    let mut process = site.spawn("log", &["serve", "--batch-size", "20"]);
    let mut sql = site.sql();
    until("it has stored some", Duration::from_secs(20), || {
        number(&mut sql, "SELECT count(*) FROM signature") > 50
    });
    let copies = ["VACUUM INTO '%'", ".backup '%'"].map(|recipe| {
        let before = site.signatures();
        let copy = Site::empty();
        let path = copy.path("signwave.db");
        let recipe = recipe.replace('%', path.to_str().unwrap());
        let made = Command::new("sqlite3").arg(site.path("signwave.db")).arg(recipe).output().unwrap();
        assert!(made.status.success() && made.stderr.is_empty(), "{made:?}");
        fs::copy(site.path("signwave.db.master"), copy.path("signwave.db.master")).unwrap();
        (copy, before)
    });
    process.signal(Signal::KILL);
    process.wait(Duration::from_secs(5));
    for (copy, before) in copies {
        copy.ok(&["verify"]);
        let stored = copy.signatures();
        assert!(before.iter().all(|(record, value)| stored.get(record) == Some(value)));
        // All but what the service held then, which goes back when its lease has run out.
        copy.ok(&["sign"]);
        copy.ok(&["verify"]);
    }
}
