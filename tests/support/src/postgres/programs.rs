//! Where PostgreSQL's programs are, and as whom they run.

use std::{
    env,
    ffi::OsStr,
    net::TcpListener,
    os::unix::{
        fs::{chown, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use crate::process::tool;

/// Debian keeps each version's programs in a folder of its own here, and none of them in PATH.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The programs of one version, and the user that runs them.
#[derive(Clone)]
pub struct Programs {
    folder: PathBuf,
    /// Whom to become, user and group: PostgreSQL refuses to run as root.
    user: Option<(u32, u32)>,
}

impl Programs {
    /// The newest version that is installed.
    pub fn find() -> Self {
        let folder = newest(Path::new(DEBIAN)).or_else(in_path);
        let folder = folder.expect("PostgreSQL's server is missing: run scripts/install-tools first");
        Self { folder, user: rustix::process::geteuid().is_root().then(unprivileged_user) }
    }

    /// Those of another version, unpacked into `folder` from what `scripts/install-tools` has brought. They are a
    /// server's only, without psql and pg_dump.
    pub fn unpacked(version: u32, folder: &Path) -> Self {
        let archive = tool(&format!("postgres-{version}.tgz"));
        succeed(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(folder));
        let package = folder.join("package");
        let links = std::fs::read(package.join("native/pg-symlinks.json")).unwrap();
        let links: Vec<serde_json::Value> = serde_json::from_slice(&links).unwrap();
        for link in links {
            let path = |end: &str| package.join(link[end].as_str().unwrap());
            symlink(path("source"), path("target")).unwrap();
        }
        Self { folder: package.join("native/bin"), ..Self::find() }
    }

    /// Where one of them is.
    pub fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }

    /// One of them, to be run in `folder`.
    pub fn command(&self, program: &str, folder: &Path) -> Command {
        self.as_user(Command::new(self.path(program)), folder)
    }

    /// Any command, to be run as the server's user, in `folder` and apart from this terminal.
    pub fn as_user(&self, mut command: Command, folder: &Path) -> Command {
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        // Nothing of the caller's environment shall reach a server or its clients.
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        command.current_dir(folder).process_group(0);
        command
    }

    /// A new folder of the server's user. Its guard removes it.
    pub fn folder(&self) -> PathBuf {
        // A short path: the sockets in it must fit into 107 bytes.
        let folder = tempfile::Builder::new().prefix("postgres-").tempdir().unwrap().keep();
        if let Some((user, group)) = self.user {
            chown(&folder, Some(user), Some(group)).unwrap();
        }
        folder
    }

    /// Hands a file to the server's user.
    pub fn give(&self, file: &Path) {
        if let Some((user, group)) = self.user {
            chown(file, Some(user), Some(group)).unwrap();
        }
    }
}

/// The highest version below `parent` that has a server.
fn newest(parent: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(parent).ok()?.map(|entry| entry.unwrap().path());
    let number =
        |path: &Path| path.file_name().and_then(OsStr::to_str).and_then(|name| name.parse::<u32>().ok());
    let version = versions.filter(|path| path.join("bin/initdb").exists()).max_by_key(|path| number(path))?;
    Some(version.join("bin"))
}

fn in_path() -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).find(|folder| folder.join("initdb").exists())
}

/// The user that Debian made for it, otherwise the one who owns nothing.
fn unprivileged_user() -> (u32, u32) {
    let id = |kind: &str, user: &str| {
        let output = Command::new("id").args([kind, user]).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    let user = |name: &&str| Some((id("-u", name)?, id("-g", name)?));
    ["postgres", "nobody"].iter().find_map(user).expect("there is a user that is not root")
}

/// Runs to the end, which must be a good one.
pub fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{command:?}: {error}; run scripts/install-tools first");
    });
    let said = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    output
}

/// A port that nobody listens at. Below those that the system gives to outgoing connections:
/// otherwise somebody may get it while a server is down, even by connecting to it himself.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(97);
    let candidates =
        std::iter::repeat_with(|| 10_000 + (start.wrapping_add(NEXT.fetch_add(1, Relaxed)) % 20_000) as u16);
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    candidates.take(20_000).find(is_free).expect("a port is free")
}
