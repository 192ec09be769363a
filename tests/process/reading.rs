//! Reading without the right to write, and while others write.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use diesel::connection::SimpleConnection;
use rustix::process::Signal;
use support::{
    process::copy_program,
    site::{Site, number},
    waiting::{timely, until},
};

const READING: [&[&str]; 6] = [
    &["status"],
    &["verify"],
    &["verify", "--record", "1"],
    &["export"],
    &["keys", "list"],
    &["keys", "show", "1"],
];

#[test]
fn whoever_reads_waits_for_no_writer() {
    let site = Site::new(2, 2048, 200);
    site.ok(&["sign"]);
    let mut writer = site.sql();
    writer.batch_execute("BEGIN IMMEDIATE; INSERT INTO record (payload) VALUES ('a')").unwrap();
    // SQLite would wait for 15 seconds, each time.
    timely("all commands behind a writer", Duration::from_secs(15), || {
        let begun = Instant::now();
        READING.iter().for_each(|command| drop(site.ok(command)));
        begun.elapsed()
    });
    writer.batch_execute("COMMIT").unwrap();
}

/// Somebody for whom permissions count, which they do not for root.
struct Auditor {
    site: Site,
    program: Option<tempfile::TempDir>,
}

impl Auditor {
    fn of(site: Site) -> Self {
        let program = rustix::process::geteuid().is_root().then(|| {
            // Where the binary is built, others may not be able to go.
            let folder = tempfile::tempdir().unwrap();
            set_mode(folder.path(), 0o755);
            copy_program(site.command(&[]).get_program(), &folder.path().join("signwave"));
            folder
        });
        Self { site, program }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let Some(program) = &self.program else {
            return self.site.command(arguments).output().unwrap();
        };
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        command.arg(program.path().join("signwave")).args(arguments);
        command.current_dir(self.site.folder()).output().unwrap()
    }

    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

/// Everybody may read, nobody may write.
fn protect(site: &Site) {
    for file in fs::read_dir(site.folder()).unwrap() {
        set_mode(&file.unwrap().path(), 0o444);
    }
    set_mode(site.folder(), 0o555);
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A copy of a database whose process was killed at work, with a log that holds what the file does not.
fn killed() -> Site {
    let site = Site::new(2, 4096, 1000);
    let mut process = site.spawn("log", &["serve", "--batch-size", "20"]);
    let mut sql = site.sql();
    until("it has stored some", Duration::from_secs(20), || {
        number(&mut sql, "SELECT count(*) FROM signature") > 50
    });
    process.signal(Signal::KILL);
    process.wait(Duration::from_secs(5));
    let copy = site.copy();
    drop(sql);
    copy
}

#[test]
fn a_copy_that_nobody_may_write_to_can_be_read() {
    let site = Site::new(2, 2048, 200);
    site.ok(&["sign"]);
    let auditor = Auditor::of(site);
    let site = &auditor.site;
    protect(site);
    let before = fs::read(site.path("signwave.db")).unwrap();
    for command in READING {
        auditor.succeeds(command);
    }
    assert!(auditor.succeeds(&["verify"]).contains("verified    200 signatures"));
    assert_eq!(fs::read(site.path("signwave.db")).unwrap(), before);
    if rustix::process::geteuid().is_root() {
        let error = auditor.fails(&["sign"]);
        assert!(error.contains("is read-only: check the permissions"), "{error}");
    }
    set_mode(site.folder(), 0o755);
}

#[test]
fn a_copy_with_its_log_can_be_read_and_without_the_means_to_it_says_what_to_do() {
    let auditor = Auditor::of(killed());
    let site = &auditor.site;
    let signed = number(&mut site.copy().sql(), "SELECT count(*) FROM signature");
    let verified = format!("verified    {signed} signatures");
    protect(site);
    assert!(auditor.succeeds(&["verify"]).contains(&verified), "with all that the log holds");
    READING.iter().for_each(|command| drop(auditor.succeeds(command)));
    set_mode(site.folder(), 0o755);

    fs::remove_file(site.path("signwave.db-shm")).unwrap();
    protect(site);
    if rustix::process::geteuid().is_root() {
        for command in READING {
            let error = auditor.fails(command);
            assert!(
                error.contains("cannot be read without its log") && error.contains("copy all files"),
                "{error}"
            );
        }
    }
    set_mode(site.folder(), 0o755);
    assert!(String::from_utf8(site.copy().ok(&["verify"]).stdout).unwrap().contains(&verified), "as it says");
}

#[test]
fn an_auditor_reads_beside_a_service_at_work() {
    let auditor = Auditor::of(Site::new(2, 4096, 1000));
    let site = &auditor.site;
    set_mode(site.folder(), 0o755);
    set_mode(&site.path("signwave.db"), 0o644); // SQLite gives its other files the same mode
    let mut process = site.spawn("log", &["serve", "--batch-size", "50"]);
    let mut sql = site.sql();
    until("it has stored some", Duration::from_secs(20), || {
        number(&mut sql, "SELECT count(*) FROM signature") > 50
    });
    READING.iter().for_each(|command| drop(auditor.succeeds(command)));
    process.signal(Signal::TERM);
    assert_eq!(process.wait(Duration::from_secs(20)), Some(0), "{}", process.log());
}

#[test]
fn what_may_not_be_read_is_called_that() {
    let auditor = Auditor::of(Site::new(2, 2048, 10));
    let site = &auditor.site;
    set_mode(site.folder(), 0o755);
    if rustix::process::geteuid().is_root() {
        let error = auditor.fails(&["status"]);
        assert!(error.contains("cannot be read: check its permissions"), "{error}");
    }
}
