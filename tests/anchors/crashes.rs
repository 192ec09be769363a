//! The end of a process, or of the power, at any moment.

use std::{fs, path::Path};

use signwave::anchors::{AnchorError, Anchors, LinePlace, Missing, Standing, read};
use support::random::{Random, count};

use crate::ledger::{Ledger, open, try_open};

/// The ledger at the end of a life, and the file at each moment of it.
struct Life {
    ledger: Ledger,
    moments: Vec<Moment>,
}

/// The file as a call was about to return.
struct Moment {
    content: Vec<u8>,
    /// How much of it was on the disk for certain when the call began.
    certain: usize,
    /// How much the database had committed.
    committed: usize,
}

/// Commits, some of which are rolled back or of unknown outcome, and looks at what others have committed.
fn live(path: &Path, commits: usize, random: &mut Random) -> Life {
    let (mut ledger, anchors, mut moments) = (Ledger::default(), open(path), Vec::new());
    let mut certain = fs::read(path).unwrap().len();
    for _ in 0..commits {
        let (pending, receipts) = ledger.intend(&anchors, 1 + random.below(3) as usize);
        let content = fs::read(path).unwrap();
        let synced = content.len();
        moments.push(Moment { content, certain, committed: ledger.receipts.len() });
        certain = synced;
        match random.below(5) {
            0 => pending.rolled_back(),
            1 => drop(pending),
            2 => {
                ledger.receipts.extend(receipts);
                drop(pending);
            }
            _ => {
                ledger.receipts.extend(receipts);
                pending.committed();
            }
        }
        if random.below(3) == 0 {
            ledger.receipts.extend(ledger.next(2));
            ledger.permit(&anchors).saw();
        }
        moments.push(Moment { content: fs::read(path).unwrap(), certain, committed: ledger.receipts.len() });
    }
    Life { ledger, moments }
}

/// The size of the head that must stand, as the complete lines say one after the other.
fn stands(content: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(content);
    let complete = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
    complete.lines().fold(0, |known, line| {
        let fields: Vec<_> = line.split(' ').collect();
        match fields[0] {
            "C" | "S" => known.max(fields[1].parse().unwrap()),
            "H" => known.max(fields[3].parse().unwrap()),
            _ => known,
        }
    })
}

/// The size of what is known after a start. All of it must be of the ledger.
fn known(anchors: &Anchors, ledger: &Ledger) -> u64 {
    let known = anchors.known();
    assert!(known.iter().all(|head| *head == ledger.back(head.size as usize).head()), "{known:?}");
    known.iter().map(|head| head.size).max().unwrap_or(0)
}

/// Goes on with a database that has committed so much, and finds it behind if it has not.
fn go_on(path: &Path, anchors: Anchors, life: &Life, committed: usize) {
    let floor = known(&anchors, &life.ledger);
    if floor > 0 {
        let behind = life.ledger.back(floor as usize - 1);
        assert!(matches!(behind.compare(&anchors), Standing::Behind { .. }));
    }
    let mut ledger = life.ledger.back(committed);
    ledger.commit(&anchors, 2);
    drop(anchors);
    assert_eq!(open(path).known(), [ledger.head()]);
    assert!(read(&path.into()).unwrap().all(|passage| passage.is_ok()));
}

#[test]
fn a_file_that_ends_at_any_byte_is_opened_and_knows_what_its_lines_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("anchor");
    let life = live(&path, 5, &mut Random::new());
    let content = fs::read(&path).unwrap();
    let header = content.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for length in 0..=content.len() {
        fs::write(&path, &content[..length]).unwrap();
        if length < header {
            let refused = try_open(&path, Missing::Refuse).unwrap_err();
            assert_eq!(refused, AnchorError::Missing(path.as_path().into()));
        }
        let anchors = open(&path);
        assert_eq!(known(&anchors, &life.ledger), stands(&content[..length]), "{length} bytes");
        let kept = fs::read(&path).unwrap();
        assert!(kept.len() <= length.max(header) && content.starts_with(&kept), "{length} bytes");
        if length % 16 == 0 {
            let moment = life.moments.iter().find(|moment| moment.content.len() >= length).unwrap();
            go_on(&path, anchors, &life, moment.committed);
        }
    }
    println!("{} bytes", content.len());
}

/// What the disk may make of a write that was not synced: each sector is written, or has what was there before, and the file
/// may be shorter.
fn torn(moment: &Moment, random: &mut Random) -> Vec<u8> {
    const SECTOR: usize = 64;
    let (mut image, is_garbage) = (moment.content.clone(), random.below(2) == 0);
    for start in (moment.certain..image.len()).step_by(SECTOR) {
        let end = image.len().min(start + SECTOR);
        if random.below(3) == 0 {
            image[start..end].fill_with(|| if is_garbage { random.below(256) as u8 } else { 0 });
        }
    }
    if random.below(2) == 0 {
        let more = (image.len() - moment.certain) as u64;
        image.truncate(moment.certain + random.below(more + 1) as usize);
    }
    image
}

#[test]
fn whatever_the_power_tears_is_no_false_alarm_and_no_loss_of_what_was_synced() {
    let folder = tempfile::tempdir().unwrap();
    let (path, mut random) = (folder.path().join("anchor"), Random::new());
    let life = live(&path, 40, &mut random);
    let (mut torn_images, mut lost) = (0, 0);
    for _ in 0..count("TEST_TORN_ANCHORS", 250) {
        let moment = &life.moments[random.below(life.moments.len() as u64) as usize];
        let image = torn(moment, &mut random);
        fs::write(&path, &image).unwrap();
        assert!(
            read(&path.as_path().into()).unwrap().all(|passage| passage.is_ok()),
            "it is read before it is mended"
        );
        assert_eq!(fs::read(&path).unwrap(), image);
        let anchors = open(&path);
        let size = known(&anchors, &life.ledger);
        assert!(size >= stands(&moment.content[..moment.certain]), "what was synced is known");
        assert!(size as usize <= moment.committed, "only what was committed is known");
        torn_images += usize::from(image != moment.content);
        lost += usize::from(size < stands(&moment.content));
        go_on(&path, anchors, &life, moment.committed);
    }
    println!("{torn_images} torn images, {lost} of which had lost a confirmation");
    assert!(torn_images > 100 && lost > 0, "this proves nothing");
}

fn damaged_at(path: &Path, at: u64) -> AnchorError {
    AnchorError::Damaged { anchor: path.into(), at: LinePlace::Byte(at) }
}

#[test]
fn damage_to_what_was_synced_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("anchor");
    let mut ledger = Ledger::default();
    let anchors = open(&path);
    for _ in 0..3 {
        ledger.commit(&anchors, 2);
    }
    drop(anchors);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let place = |line: usize| lines[..line].concat().len() as u64;
    let refused = |lines: &[&str]| {
        fs::write(&path, lines.concat()).unwrap();
        try_open(&path, Missing::Create).unwrap_err()
    };
    // The header, then three times B, B or E, H, C: the last two lines that were certainly synced are B and B.
    for (line, new) in [(9, "B 5\n"), (10, "\n"), (12, "C 5\n"), (12, "X 5\n")] {
        let mut damaged = lines.clone();
        damaged[line] = new;
        let at = if line == 12 { place(11) } else { place(line) };
        assert_eq!(refused(&damaged), damaged_at(&path, at), "{line}: {new}");
    }
    assert_eq!(refused(&[lines[0], "C 1\n"]), damaged_at(&path, place(1)));
    let twice = [&lines[..], &["C 6\n"]].concat();
    assert_eq!(refused(&twice), damaged_at(&path, place(12)));
    let without_h = [&lines[..], &["B 7\n"]].concat();
    fs::write(&path, without_h.concat()).unwrap();
    assert_eq!(open(&path).known(), [ledger.head()], "a malformed line at the end was never synced");
    fs::write(&path, text.replace("C 6", "H 6")).unwrap();
    assert_eq!(open(&path).known(), [ledger.back(4).head()]);
}
