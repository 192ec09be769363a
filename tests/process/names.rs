//! A database has one name: others are refused, and a file that loses its name, or its log, under a running
//! process ends it before anything more is believed to be stored.

use std::{
    collections::BTreeMap,
    fs,
    process::{Command, Output},
    time::Duration,
};

use diesel::connection::SimpleConnection;
use rustix::process::Signal;
use support::{
    process::Running,
    site::{Site, number},
    waiting::until,
};

const SOON: Duration = Duration::from_secs(30);

/// More than are signed, with long keys, until something is done to the files.
const RECORDS: u32 = 1500;

/// The standard error of a command that must fail.
fn failed(site: &Site, arguments: &[&str]) -> String {
    ended_badly(site.command(arguments).output().unwrap())
}

fn ended_badly(output: Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "nothing is shown: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_file_with_two_names_is_refused_by_either() {
    let site = Site::new(2, 2048, 100);
    fs::hard_link(site.path("signwave.db"), site.path("other.db")).unwrap();
    fs::copy(site.path("signwave.db.master"), site.path("other.db.master")).unwrap();
    for name in ["signwave.db", "other.db"] {
        for command in [
            &["sign"][..],
            &["serve"],
            &["status"],
            &["verify"],
            &["export"],
            &["keys", "list"],
            &["migrate"],
            &["migrate", "--revert", "--yes"],
        ] {
            let error = failed(&site, &[&["--database", name], command].concat());
            assert!(error.contains("has 2 names (hard links)"), "{error}");
        }
    }
    fs::remove_file(site.path("other.db")).unwrap();
    site.ok(&["sign"]);
    site.check_all_signed();
}

#[test]
fn a_second_name_ends_a_process_that_is_at_work() {
    let (site, _, log) = ended_by(&["serve"], |site| {
        fs::hard_link(site.path("signwave.db"), site.path("other.db")).unwrap();
    });
    assert!(log.contains("has 2 names"), "{log}");
    fs::remove_file(site.path("other.db")).unwrap();
    site.ok(&["sign"]);
    site.check_all_signed();
}

/// Lets a process work, does something to its files, and returns what was stored by then, and its log, once
/// it has ended with an error.
fn ended_by(command: &[&str], act: impl Fn(&Site)) -> (Site, BTreeMap<i64, Vec<u8>>, String) {
    let site = Site::new(2, 4096, RECORDS);
    let short = ["--batch-size", "10", "--lease-ttl", "2s", "--lease-grace", "500ms"];
    let mut process = site.spawn("log", &[command, &short].concat());
    let mut sql = site.sql();
    until("it has stored some", SOON, || number(&mut sql, "SELECT count(*) FROM signature") > 60);
    let seen = support::site::signatures(&mut sql);
    drop(sql);
    act(&site);
    let code = process.wait(SOON);
    let log = process.log();
    assert_eq!(code, Some(1), "{log}");
    assert!(!log.contains("signed 1") && !log.contains("; signed"), "it must not count: {log}");
    (site, seen, log)
}

/// What was seen is in the database, and stays as it was when the rest is signed.
fn go_on(site: &Site, seen: &BTreeMap<i64, Vec<u8>>) {
    let stored = site.signatures();
    assert!(seen.iter().all(|(record, value)| stored.get(record) == Some(value)), "a signature is gone");
    assert!(stored.len() < RECORDS as usize, "this proves nothing");
    // Away from its lock file, the process and what it held are given up when its lease has run out.
    until("all is signed, and the process is given up", SOON, || {
        site.ok(&["sign"]);
        let nodes = number(&mut site.sql(), "SELECT count(*) FROM node");
        site.signatures().len() == RECORDS as usize && nodes == 0
    });
    site.check_all_signed();
    let signed = site.signatures();
    assert!(stored.iter().all(|(record, value)| signed.get(record) == Some(value)), "signed again");
}

#[test]
fn a_database_that_is_moved_ends_its_process_and_takes_all_that_was_stored_with_it() {
    for command in ["serve", "sign"] {
        let (site, seen, log) = ended_by(&[command], |site| {
            fs::rename(site.path("signwave.db"), site.path("moved.db")).unwrap();
        });
        assert!(log.contains("was moved to") && log.contains("moved.db'"), "{log}");
        assert!(log.contains("all that was stored went with it"), "{log}");
        // Alone, without the log that stayed behind.
        let elsewhere = Site::empty();
        fs::copy(site.path("moved.db"), elsewhere.path("signwave.db")).unwrap();
        fs::copy(site.path("signwave.db.master"), elsewhere.path("signwave.db.master")).unwrap();
        go_on(&elsewhere, &seen);
    }
}

#[test]
fn a_folder_that_is_moved_ends_its_process_and_nothing_is_lost() {
    let (site, seen, log) = ended_by(&["serve"], |site| {
        // The folder cannot be moved itself, since the log of the process is in it: all files are.
        fs::create_dir(site.path("elsewhere")).unwrap();
        for end in ["-shm", "-wal", ""] {
            let name = format!("signwave.db{end}");
            fs::rename(site.path(&name), site.path("elsewhere").join(&name)).unwrap();
        }
    });
    assert!(log.contains("nothing more is stored"), "{log}");
    for end in ["", "-wal", "-shm"] {
        let name = format!("signwave.db{end}");
        if site.path("elsewhere").join(&name).exists() {
            fs::rename(site.path("elsewhere").join(&name), site.path(&name)).unwrap();
        }
    }
    go_on(&site, &seen);
}

#[test]
fn a_log_that_is_deleted_ends_the_process_and_what_it_held_is_saved() {
    let (site, seen, log) =
        ended_by(&["serve"], |site| fs::remove_file(site.path("signwave.db-wal")).unwrap());
    assert!(
        log.contains("signwave.db-wal', a part of the database, was moved, deleted or replaced"),
        "{log}"
    );
    go_on(&site, &seen);
}

#[test]
fn a_database_that_is_replaced_or_deleted_ends_its_process() {
    let (_, _, log) = ended_by(&["serve"], |site| {
        let other = Site::new(1, 2048, 10);
        fs::copy(other.path("signwave.db"), site.path("new.db")).unwrap();
        fs::rename(site.path("new.db"), site.path("signwave.db")).unwrap();
    });
    assert!(log.contains("was replaced by another file while it was in use"), "{log}");
    let (_, _, log) = ended_by(&["sign"], |site| fs::remove_file(site.path("signwave.db")).unwrap());
    assert!(log.contains("was deleted while it was in use"), "{log}");
}

#[test]
fn a_log_of_a_replaced_database_is_not_taken_for_that_of_the_new_one() {
    let (site, _, _) = ended_by(&["serve"], |site| {
        let other = Site::new(1, 2048, 10);
        fs::copy(other.path("signwave.db"), site.path("new.db")).unwrap();
        fs::rename(other.path("signwave.db.master"), site.path("signwave.db.master")).unwrap();
        fs::rename(site.path("new.db"), site.path("signwave.db")).unwrap();
    });
    site.ok(&["sign"]);
    site.check_all_signed();
    assert_eq!(site.signatures().len(), 10);
}

#[test]
fn a_backup_that_is_copied_over_a_database_in_use_ends_its_process() {
    let (site, _, log) = ended_by(&["serve"], |site| {
        let copy = site.path("backup.db");
        site.sql().batch_execute(&format!("VACUUM INTO '{}'", copy.display())).unwrap();
        fs::write(site.path("signwave.db"), fs::read(copy).unwrap()).unwrap();
    });
    assert!(log.contains("was changed by something other than SQLite"), "{log}");
    // As it says.
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(site.path(&format!("signwave.db{end}")));
    }
    fs::write(site.path("signwave.db"), fs::read(site.path("backup.db")).unwrap()).unwrap();
    let signed = site.signatures().len();
    site.ok(&["verify"]);
    assert!(signed > 60 && signed < RECORDS as usize);
}

#[test]
fn whoever_comes_by_another_name_or_with_another_log_is_refused_while_a_process_is_at_work() {
    let site = Site::new(2, 4096, 2000);
    let mut process = site.spawn("log", &["serve", "--batch-size", "20"]);
    let mut sql = site.sql();
    until("it has stored some", SOON, || number(&mut sql, "SELECT count(*) FROM signature") > 100);
    drop(sql);
    let rename = |from: &str, to: &str| fs::rename(site.path(from), site.path(to)).unwrap();
    let other_names = |wanted: &str| {
        for command in ["sign", "status", "export"] {
            let error = failed(&site, &["--database", "other.db", command]);
            assert!(error.contains(wanted), "{error}");
        }
    };
    process.pause();
    fs::copy(site.path("signwave.db.master"), site.path("other.db.master")).unwrap();
    // By another name; with another log; another database beside its log.
    rename("signwave.db", "other.db");
    other_names("open under another name");
    rename("other.db", "signwave.db");
    rename("signwave.db-wal", "wal");
    let error = failed(&site, &["status"]);
    assert!(error.contains("was moved, deleted or replaced: stop that process first"), "{error}");
    fs::rename(site.path("wal"), site.path("signwave.db-wal")).unwrap();
    rename("signwave.db", "kept.db");
    fs::copy(site.path("kept.db"), site.path("signwave.db")).unwrap();
    let error = failed(&site, &["status"]);
    assert!(error.contains("was moved, deleted or replaced: stop that process first"), "{error}");
    // And when all is as it was, nothing has happened.
    rename("kept.db", "signwave.db");
    process.signal(Signal::CONT);
    site.ok(&["status"]);
    process.signal(Signal::TERM);
    assert_eq!(process.wait(SOON), Some(0), "{}", process.log());
    site.ok(&["verify"]);
}

#[test]
fn a_process_that_is_killed_keeps_nobody_away() {
    let site = Site::new(2, 4096, 1000);
    let mut process = site.spawn("log", &["serve", "--batch-size", "20"]);
    let mut sql = site.sql();
    until("it has stored some", SOON, || number(&mut sql, "SELECT count(*) FROM signature") > 100);
    drop(sql);
    process.signal(Signal::KILL);
    process.wait(SOON);
    for end in ["", "-wal", "-shm", ".master"] {
        fs::rename(site.path(&format!("signwave.db{end}")), site.path(&format!("other.db{end}"))).unwrap();
    }
    site.ok(&["--database", "other.db", "sign"]);
    site.ok(&["--database", "other.db", "verify"]);
}

#[test]
fn checkpoints_a_vacuum_and_others_that_come_and_go_alarm_nobody() {
    let site = Site::new(4, 2048, 500);
    let mut process = site.spawn("log", &["serve", "--batch-size", "7", "--poll-interval", "10ms"]);
    let mut sql = site.sql();
    for round in 0..12 {
        site.insert(50);
        let maintenance = ["PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(PASSIVE)"];
        sql.batch_execute(maintenance[round % 3]).unwrap();
        site.ok(&["status", "--json"]);
        site.ok(&["keys", "list"]);
        if round % 4 == 0 {
            // One that dies, and is the last to know the log.
            let mut other = site.spawn("other", &["sign", "--batch-size", "7"]);
            other.signal(Signal::KILL);
            other.wait(SOON);
        }
        assert!(process.is_running(), "{}", process.log());
    }
    until("all is signed", SOON, || number(&mut sql, "SELECT count(*) FROM signature") == 500 + 12 * 50);
    process.signal(Signal::TERM);
    assert_eq!(process.wait(SOON), Some(0), "{}", process.log());
    drop(sql);
    site.ok(&["sign"]);
    site.check_all_signed();
}

#[test]
fn symbolic_links_of_the_file_and_of_its_folder_are_the_same_name() {
    let site = Site::new(4, 2048, 600);
    std::os::unix::fs::symlink(site.folder(), site.path("folder")).unwrap();
    std::os::unix::fs::symlink("folder/signwave.db", site.path("file.db")).unwrap();
    fs::copy(site.path("signwave.db.master"), site.path("file.db.master")).unwrap();
    let names = ["signwave.db", "folder/signwave.db", "file.db"];
    let mut processes = names.map(|name| {
        site.spawn(
            &format!("{}.log", name.replace('/', "-")),
            &["--database", name, "sign", "--batch-size", "20"],
        )
    });
    for process in &mut processes {
        assert_eq!(process.wait(SOON), Some(0), "{}", process.log());
    }
    site.check_all_signed();
}

/// Folders that are mounted in two places, each seen by one process alone, as containers do; and files.
#[test]
fn a_mounted_folder_is_the_same_name_and_a_mounted_file_is_refused() {
    let site = Site::new(4, 2048, 600);
    if !in_namespaces(&site, "mount -t tmpfs tmpfs one").output().unwrap().status.success() {
        // Some containers forbid to mount: what a mounted file is refused for is shown by its hard links.
        return a_file_with_two_names_is_refused_by_either();
    }
    let sign = |folder: &str| {
        let script = format!(
            "mount --bind . {folder} && exec \"$0\" --database {folder}/signwave.db sign --batch-size 20"
        );
        Running::start(in_namespaces(&site, &script), site.path(&format!("{folder}.log")))
    };
    let mut signing = ["one", "two"].map(sign);
    for process in &mut signing {
        assert_eq!(process.wait(SOON), Some(0), "{}", process.log());
    }
    site.check_all_signed();

    site.insert(10);
    fs::write(site.path("one/signwave.db"), "").unwrap();
    fs::copy(site.path("signwave.db.master"), site.path("one/signwave.db.master")).unwrap();
    for command in ["sign", "status", "export", "migrate"] {
        let script = format!(
            "mount --bind signwave.db one/signwave.db && exec \"$0\" --database one/signwave.db {command}"
        );
        let error = ended_badly(in_namespaces(&site, &script).output().unwrap());
        assert!(error.contains("is mounted by itself"), "{error}");
    }
}

/// A script with mounts and process ids of its own.
fn in_namespaces(site: &Site, script: &str) -> Command {
    for folder in ["one", "two"] {
        let _ = fs::create_dir(site.path(folder)); // it may be there
    }
    let mut command = Command::new("unshare");
    command.args(["-rmp", "--fork", "--kill-child", "sh", "-c", script]);
    command.arg(site.command(&[]).get_program()).current_dir(site.folder());
    command
}
