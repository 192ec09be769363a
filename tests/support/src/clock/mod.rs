//! A machine's wall clock, which tests set while programs run by it: as if somebody, or a time server,
//! had set it. All that share it see each step at the same moment.

use std::{
    fs::{File, Permissions},
    os::unix::fs::{FileExt, PermissionsExt},
    path::PathBuf,
    process::Command,
    time::Duration,
};

use tempfile::TempDir;

pub const HOUR: Duration = Duration::from_secs(3600);

/// Where a step goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Forward,
    Back,
}

pub struct Clock {
    folder: TempDir,
    file: File,
    seconds: i64,
}

impl Clock {
    /// One that shows the right time.
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        // A server runs as another user.
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/clock/clock.c");
        let library = folder.path().join("clock.so");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", source, "-o"]).arg(library);
        assert!(compiler.status().expect("a C compiler is there").success());
        let file = File::create(folder.path().join("seconds")).unwrap();
        let mut clock = Self { folder, file, seconds: 0 };
        clock.set(0);
        clock
    }

    /// The environment of programs that run by it.
    pub fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        let path = |name| self.folder.path().join(name);
        vec![("LD_PRELOAD", path("clock.so")), ("CLOCK_FILE", path("seconds"))]
    }

    /// Sets it an hour forward or back.
    pub fn step(&mut self, step: Step) {
        let hour = HOUR.as_secs() as i64;
        self.set(self.seconds + if step == Step::Forward { hour } else { -hour });
    }

    fn set(&mut self, seconds: i64) {
        self.seconds = seconds;
        self.file.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }
}
