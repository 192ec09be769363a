//! A folder with a database, whose settings name a token.

use std::{fs, path::Path};

use support::{process::Running, sandbox::Sandbox, tokens::Token};

/// A folder with a database and a new token, which is the custodian `hsm`.
pub fn with_token(start: fn(&Path) -> Token) -> (Sandbox, Token) {
    let sandbox = Sandbox::migrated();
    let token = start(&sandbox.path(""));
    sandbox.write("signwave.toml", token.section("hsm", "sessions = 2\ntimeout = '5s'"));
    (sandbox, token)
}

pub fn add_records(sandbox: &Sandbox, count: usize) {
    (0..count).for_each(|n| sandbox.sql(&format!("INSERT INTO record (payload) VALUES ('record {n}')")));
}

pub fn unsigned(sandbox: &Sandbox) -> i64 {
    sandbox.number("SELECT count(*) FROM record") - sandbox.number("SELECT count(*) FROM signature")
}

/// The children of a service that hold tokens.
pub fn hosts(service: &Running) -> Vec<u32> {
    processes().filter(|process| parent(*process) == Some(service.id())).collect()
}

/// The processes that have the environment of a token, no matter what has started them.
pub fn users(token: &Token) -> Vec<u32> {
    let (name, value) = token.environment.last().unwrap();
    let variable = format!("{name}={value}").into_bytes();
    let has = |process: &u32| {
        let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|one| one == variable)
    };
    processes().filter(has).collect()
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").unwrap();
    let names = entries.filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    names.filter_map(|name| name.parse().ok())
}

/// Whether a process is there, and not a zombie.
pub fn is_running(process: u32) -> bool {
    stat(process).is_some_and(|stat| !stat.starts_with('Z'))
}

fn parent(process: u32) -> Option<u32> {
    stat(process)?.split(' ').nth(1)?.parse().ok()
}

/// From the letter of its state on.
fn stat(process: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    Some(stat.rsplit_once(") ")?.1.to_owned())
}
