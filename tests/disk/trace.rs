//! What a process did to the files of a folder, and what it let others know, read from strace.

use std::{collections::HashMap, path::Path};

use data_encoding::HEXLOWER;

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
    /// The same for the names of the folder.
    SyncFolder {
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
pub const OPTIONS: [&str; 7] = ["--seccomp-bpf", "-y", "-xx", "-s", "100000000", "-e", CALLS];

/// The files that are gone after a loss of power whatever happens, or hold what is printed.
const VOLATILE: [&str; 3] = ["signwave.db-shm", "said", "trace"];

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
    if result.starts_with('-') || result.starts_with('?') {
        return None;
    }
    let strings = strings(arguments);
    let name = |i: usize| {
        let path = strings.get(i).map(|bytes| Path::new(std::str::from_utf8(bytes).unwrap()))?;
        let path = folder.join(path);
        (path.parent() == Some(folder) && !arguments.contains(":["))
            .then(|| path.file_name().unwrap().to_str().unwrap().to_owned())
    };
    let numbers = || arguments.rsplit(", ").map_while(|argument| argument.parse::<usize>().ok());
    let is_folder =
        || strings.first().is_some_and(|path| Path::new(std::str::from_utf8(path).unwrap()) == folder);
    // A file without a name any more, which nobody will find.
    if arguments.contains("(deleted)") {
        return None;
    }
    let is_kept = |name: &String| !VOLATILE.contains(&name.as_str());
    match call {
        "openat" if arguments.contains("O_CREAT") => {
            let name = name(1).filter(is_kept)?;
            assert!(!arguments.contains("O_TRUNC"), "not understood: {text}");
            Some(Event::Create { name })
        }
        "write" if name(0)? == "said" => {
            Some(Event::Said { text: String::from_utf8_lossy(&strings[1]).into_owned() })
        }
        "write" | "pwrite64" => {
            let name = name(0).filter(is_kept)?;
            let bytes = &strings[1];
            assert_eq!(result.parse(), Ok(bytes.len()), "written as a whole: {call} of {name}");
            let offset = (call == "pwrite64").then(|| numbers().next().unwrap());
            Some(Event::Write { name, offset, bytes: bytes.clone() })
        }
        "ftruncate" => {
            name(0).filter(is_kept).map(|name| Event::Resize { name, length: numbers().next().unwrap() })
        }
        "fsync" | "fdatasync" if is_folder() => Some(Event::SyncFolder { covers }),
        "fsync" | "fdatasync" => name(0).filter(is_kept).map(|name| Event::Sync { name, covers }),
        "link" => Some(Event::Link { from: name(0)?, to: name(1)? }),
        "linkat" => Some(Event::Link { from: name(1)?, to: name(3)? }),
        "unlink" => name(0).filter(is_kept).map(|name| Event::Unlink { name }),
        "unlinkat" => name(1).filter(is_kept).map(|name| Event::Unlink { name }),
        "fcntl" => {
            (name(0)? == "signwave.db-shm" && arguments.contains(WRITERS_LOCK)).then_some(Event::Shown)
        }
        "openat" => None,
        _ => {
            assert!((0..strings.len()).all(|i| name(i).is_none()), "not understood: {text}");
            None
        }
    }
}

/// The strings and paths among the arguments, each written as `"\x2f.."` or `<\x2f..>`.
fn strings(arguments: &str) -> Vec<Vec<u8>> {
    let pieces = arguments.split(['"', '<', '>']);
    let hexadecimal = pieces.filter(|piece| piece.starts_with("\\x"));
    hexadecimal.map(|piece| HEXLOWER.decode(piece.replace("\\x", "").as_bytes()).unwrap()).collect()
}
