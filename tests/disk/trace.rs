//! What a process did to the files of a folder and of one in it, and what it let others know, read from strace.

use std::{collections::HashMap, path::Path};

/// The folder in the folder, which stands for another disk.
pub const ELSEWHERE: &str = "elsewhere";

/// Something that changes the disk, makes it certain, or is seen outside. Files go by their names.
#[derive(Clone, Debug)]
pub enum Event {
    /// A name that is there from now on.
    Create {
        name: String,
    },
    /// Another name of the same file.
    Link {
        from: String,
        to: String,
    },
    Unlink {
        name: String,
    },
    /// Without an offset it is written at the end.
    Write {
        name: String,
        offset: Option<usize>,
        bytes: Vec<u8>,
    },
    Resize {
        name: String,
        length: usize,
    },
    /// Everything about the file that was done before the first `covers` events had happened is on the disk.
    Sync {
        name: String,
        covers: usize,
    },
    /// The same for the names of the folder, which has no name itself, or of the one in it.
    SyncFolder {
        name: &'static str,
        covers: usize,
    },
    /// A writer let go of the database: whoever reads from now on sees what it committed.
    Shown,
    /// It said so on its standard output or in its log.
    Said {
        text: String,
    },
}

/// The calls to be traced: whatever changes a file, and locks. Whoever comes to use another of them
/// is told by [`events`].
pub const CALLS: &str = "openat,creat,open,write,pwrite64,writev,pwritev,pwritev2,truncate,ftruncate,fallocate,\
                         fsync,fdatasync,sync_file_range,msync,copy_file_range,sendfile,splice,\
                         link,linkat,symlink,symlinkat,rename,renameat,renameat2,unlink,unlinkat,fcntl";

/// strace's options: complete data and all paths, in hexadecimal.
pub const OPTIONS: [&str; 6] = ["-y", "-xx", "-s", "100000000", "-e", CALLS];

/// The files that are gone after a loss of power whatever happens, or hold what is printed.
const VOLATILE: [&str; 3] = [INDEX, "said", "trace"];

/// The index of the write-ahead log, shared memory of all processes.
const INDEX: &str = "signwave.db-shm";

/// Where in the index of the log the lock of writers lies (`WAL_WRITE_LOCK` in SQLite's wal.c).
const WRITERS_LOCK: &str = "F_SETLK, {l_type=F_UNLCK, l_whence=SEEK_SET, l_start=120, l_len=1}";

/// Reads a trace of processes at work in `folder`.
pub fn events(trace: &str, folder: &Path) -> Vec<Event> {
    let (mut events, mut begun) = (Vec::new(), HashMap::new());
    for line in trace.lines() {
        let (thread, text) = line.split_once(' ').unwrap();
        let text = text.trim_start();
        if let Some(start) = text.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, (start, events.len()));
        } else if let Some((_, end)) =
            text.strip_prefix("<... ").and_then(|text| text.split_once(" resumed>"))
        {
            let (start, before) = begun.remove(thread).unwrap();
            events.extend(event(&format!("{start}{end}"), before, folder));
        } else {
            let before = events.len();
            events.extend(event(text, before, folder));
        }
    }
    events
}

/// What one call did, which began when there had been `covers` events.
fn event(text: &str, covers: usize, folder: &Path) -> Option<Event> {
    let (call, result) = text.rsplit_once(" = ")?;
    let (call, arguments) = call.trim_end().strip_suffix(')')?.split_once('(')?;
    let (strings, others) = strings(arguments);
    // What failed, and a file without a name any more, which nobody will find.
    if result.starts_with(['-', '?']) || others.contains("(deleted)") {
        return None;
    }
    let path = |i: usize| strings.get(i).map(|bytes| folder.join(std::str::from_utf8(bytes).unwrap()));
    let any_name = |i: usize| {
        let path = path(i)?;
        // What is no file is shown as `pipe:[1234]`.
        let name = path.strip_prefix(folder).ok()?.to_str().unwrap();
        (!name.contains(":[")).then(|| name.to_owned())
    };
    let name = |i| any_name(i).filter(|name| !VOLATILE.contains(&name.as_str()));
    let last_number = || others.rsplit(", ").next().unwrap().parse::<usize>().unwrap();
    match call {
        "openat" if others.contains("O_CREAT") => {
            let name = name(1)?;
            assert!(!others.contains("O_TRUNC"), "not understood: {text}");
            Some(Event::Create { name })
        }
        "openat" => None,
        "write" if any_name(0)? == "said" => {
            Some(Event::Said { text: String::from_utf8_lossy(&strings[1]).into_owned() })
        }
        "write" | "pwrite64" => {
            let (name, bytes) = (name(0)?, strings[1].clone());
            assert_eq!(result.parse(), Ok(bytes.len()), "written as a whole: {call} of {name}");
            Some(Event::Write { name, offset: (call == "pwrite64").then(last_number), bytes })
        }
        "ftruncate" => Some(Event::Resize { name: name(0)?, length: last_number() }),
        "fsync" | "fdatasync" if any_name(0)?.is_empty() => Some(Event::SyncFolder { name: "", covers }),
        "fsync" | "fdatasync" if any_name(0)? == ELSEWHERE => {
            Some(Event::SyncFolder { name: ELSEWHERE, covers })
        }
        "fsync" | "fdatasync" => Some(Event::Sync { name: name(0)?, covers }),
        "link" => Some(Event::Link { from: name(0)?, to: name(1)? }),
        "linkat" => Some(Event::Link { from: name(1)?, to: name(3)? }),
        "unlink" => Some(Event::Unlink { name: name(0)? }),
        "unlinkat" => Some(Event::Unlink { name: name(1)? }),
        "fcntl" => (any_name(0)? == INDEX && others.contains(WRITERS_LOCK)).then_some(Event::Shown),
        _ => {
            assert!((0..strings.len()).all(|i| name(i).is_none()), "not understood: {text}");
            None
        }
    }
}

/// The strings and paths among the arguments, each written as `"\x2f.."` or `<\x2f..>`, and what is
/// between the strings.
fn strings(arguments: &str) -> (Vec<Vec<u8>>, String) {
    let (mut strings, mut others) = (Vec::new(), String::new());
    for (i, piece) in arguments.split('"').enumerate() {
        if i % 2 == 1 {
            strings.push(decode(piece));
        } else {
            strings.extend(piece.split(['<', '>']).filter(|piece| piece.starts_with("\\x")).map(decode));
            others += piece;
        }
    }
    (strings, others)
}

/// The bytes of `\x2f\x74..`.
fn decode(hexadecimal: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("strace writes two digits") as u8;
    hexadecimal.as_bytes().chunks(4).map(|byte| digit(byte[2]) << 4 | digit(byte[3])).collect()
}
