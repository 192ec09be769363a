//! What a client has yet to read about its lines: ranges with the same verdict. Ranges that wait are merged, so that
//! a client that sends everything before it reads neither stalls the stream nor fills the memory.

use std::collections::VecDeque;

use serde::Serialize;

use crate::domain::{InsertVerdict, RecordId, Runs};

/// Which verdicts the client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdicts {
    /// Ranges of lines with the same verdict.
    Ranges,
    /// Only ranges of lines that are not stored.
    Problems,
    /// A verdict for each line.
    Each,
}

/// The ranges that wait, at most. More become one [`Verdict::Mixed`].
const WAITING: usize = 4096;

/// Runs of ids that wait, at most. Ranges beyond that have no ids.
const RUNS: usize = 16_384;

/// Runs of ids in one range, at most.
const RUNS_IN_RANGE: usize = 1000;

/// How many of the lines so far were stored, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// New records.
    pub inserted: u64,
    /// Records that were there before.
    pub already_there: u64,
    /// Lines whose name belongs to another payload.
    pub conflicts: u64,
}

/// The verdicts that wait, and the numbers so far.
#[derive(Debug)]
pub struct Report {
    verdicts: Verdicts,
    waiting: VecDeque<Range>,
    runs: usize,
    tally: Tally,
}

#[derive(Debug)]
struct Range {
    first: u64,
    last: u64,
    verdict: Verdict,
    /// They rise from line to line, so that they say which line has which id. `None` if they do not, or are too many.
    ids: Option<Runs>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Inserted,
    AlreadyThere,
    Conflict,
    /// Lines with different verdicts.
    Mixed(Tally),
}

impl Report {
    /// A report without lines.
    pub fn new(verdicts: Verdicts) -> Self {
        Self { verdicts, waiting: VecDeque::new(), runs: 0, tally: Tally::default() }
    }

    /// Adds the verdict on a line. Lines come in order.
    pub fn add(&mut self, line: u64, verdict: InsertVerdict) {
        let (verdict, id) = match verdict {
            InsertVerdict::Inserted(id) => (Verdict::Inserted, Some(id)),
            InsertVerdict::AlreadyThere(id) => (Verdict::AlreadyThere, Some(id)),
            InsertVerdict::Conflict => (Verdict::Conflict, None),
        };
        self.tally.add(verdict);
        if self.verdicts == Verdicts::Problems && verdict != Verdict::Conflict {
            return;
        }
        let extends = |range: &&mut Range| {
            self.verdicts != Verdicts::Each && range.verdict == verdict && range.last + 1 == line
        };
        match self.waiting.back_mut().filter(extends) {
            Some(range) => {
                self.runs -= range.runs();
                range.extend(line, id, RUNS - self.runs);
                self.runs += range.runs();
            }
            None => {
                let ids = id.map(|id| [id].into_iter().collect());
                self.begin(Range { first: line, last: line, verdict, ids });
            }
        }
    }

    fn begin(&mut self, mut range: Range) {
        if self.waiting.len() >= WAITING && self.verdicts != Verdicts::Each {
            self.mix();
        }
        if self.runs >= RUNS {
            range.ids = None;
        }
        self.runs += range.runs();
        self.waiting.push_back(range);
    }

    /// Makes one range of all that wait.
    fn mix(&mut self) {
        let (Some(first), Some(last)) = (self.waiting.front(), self.waiting.back()) else { return };
        let (first, last) = (first.first, last.last);
        let mut tally = Tally::default();
        self.waiting.drain(..).for_each(|range| tally.add_range(&range));
        self.runs = 0;
        self.waiting.push_back(Range { first, last, verdict: Verdict::Mixed(tally), ids: None });
    }

    /// Whether the client must read before more lines are taken. Only verdicts on each line cannot be merged.
    pub fn is_full(&self) -> bool {
        self.verdicts == Verdicts::Each && self.waiting.len() >= WAITING
    }

    /// Takes out the lines of JSON that wait.
    pub fn take(&mut self) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.waiting.len() * 100);
        for range in self.waiting.drain(..) {
            range.write(&mut text);
        }
        self.runs = 0;
        text
    }

    /// The numbers so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }
}

impl Tally {
    /// Whether every line is stored.
    pub fn is_ok(&self) -> bool {
        self.conflicts == 0
    }

    fn add(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Inserted => self.inserted += 1,
            Verdict::AlreadyThere => self.already_there += 1,
            Verdict::Conflict => self.conflicts += 1,
            Verdict::Mixed(tally) => {
                self.inserted += tally.inserted;
                self.already_there += tally.already_there;
                self.conflicts += tally.conflicts;
            }
        }
    }

    fn add_range(&mut self, range: &Range) {
        let lines = range.last - range.first + 1;
        match range.verdict {
            Verdict::Inserted => self.inserted += lines,
            Verdict::AlreadyThere => self.already_there += lines,
            Verdict::Conflict => self.conflicts += lines,
            mixed @ Verdict::Mixed(_) => self.add(mixed),
        }
    }
}

/// A range as the client reads it.
#[derive(Serialize)]
struct Written {
    lines: [u64; 2],
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ids: Option<String>,
    #[serde(flatten)]
    tally: Option<Tally>,
}

impl Range {
    /// Adds the next line. The ids may have so many runs.
    fn extend(&mut self, line: u64, id: Option<RecordId>, most: usize) {
        self.last = line;
        let Some((ids, id)) = self.ids.as_mut().zip(id) else { return };
        if ids.last().is_some_and(|last| last < id) && ids.runs() < most.min(RUNS_IN_RANGE) {
            ids.push(id);
        } else {
            self.ids = None;
        }
    }

    fn runs(&self) -> usize {
        self.ids.as_ref().map_or(0, Runs::runs)
    }

    fn write(&self, text: &mut Vec<u8>) {
        let (verdict, tally) = match self.verdict {
            Verdict::Inserted => ("inserted", None),
            Verdict::AlreadyThere => ("already_there", None),
            Verdict::Conflict => ("conflict", None),
            Verdict::Mixed(tally) => ("mixed", Some(tally)),
        };
        let ids = self.ids.as_ref().map(Runs::to_string);
        let written = Written { lines: [self.first, self.last], verdict, ids, tally };
        serde_json::to_writer(&mut *text, &written).expect("writing to memory cannot fail");
        text.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inserted(id: i64) -> InsertVerdict {
        InsertVerdict::Inserted(RecordId(id))
    }

    fn there(id: i64) -> InsertVerdict {
        InsertVerdict::AlreadyThere(RecordId(id))
    }

    fn taken(report: &mut Report) -> String {
        String::from_utf8(report.take()).unwrap()
    }

    #[test]
    fn lines_with_the_same_verdict_are_one_range_with_their_ids() {
        let mut report = Report::new(Verdicts::Ranges);
        let verdicts =
            [inserted(7), inserted(8), inserted(20), InsertVerdict::Conflict, there(1), there(9), there(3)];
        (1..).zip(verdicts).for_each(|(line, verdict)| report.add(line, verdict));
        report.add(9, there(4));
        assert_eq!(
            taken(&mut report),
            "{\"lines\":[1,3],\"verdict\":\"inserted\",\"ids\":\"7-8,20\"}\n\
             {\"lines\":[4,4],\"verdict\":\"conflict\"}\n\
             {\"lines\":[5,7],\"verdict\":\"already_there\"}\n\
             {\"lines\":[9,9],\"verdict\":\"already_there\",\"ids\":\"4\"}\n"
        );
        assert_eq!(taken(&mut report), "", "nothing is told twice");
        assert_eq!(report.tally(), Tally { inserted: 3, already_there: 4, conflicts: 1 });
        assert!(!report.tally().is_ok());
    }

    #[test]
    fn a_million_lines_that_nobody_reads_are_one_range() {
        let mut report = Report::new(Verdicts::Ranges);
        (1..=1_000_000).for_each(|line| report.add(line, inserted(line as i64 + 5)));
        assert_eq!(report.waiting.len(), 1);
        assert!(report.tally().is_ok());
        assert_eq!(
            taken(&mut report),
            "{\"lines\":[1,1000000],\"verdict\":\"inserted\",\"ids\":\"6-1000005\"}\n"
        );
    }

    #[test]
    fn any_number_of_changing_verdicts_takes_bounded_memory_and_keeps_the_numbers() {
        let mut report = Report::new(Verdicts::Ranges);
        for line in 1..=100_000 {
            let id = 2 * line as i64;
            report.add(line, [inserted(id), inserted(id), InsertVerdict::Conflict][line as usize % 3]);
            assert!(report.waiting.len() <= WAITING && report.runs <= RUNS, "line {line}");
        }
        let text = taken(&mut report);
        let first = text.lines().next().unwrap();
        assert!(first.starts_with("{\"lines\":[1,") && first.contains("\"verdict\":\"mixed\""), "{first}");
        let mut next = 1;
        let mut sum = Tally::default();
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["lines"][0], next, "no gap and no overlap");
            next = line["lines"][1].as_u64().unwrap() + 1;
            let of = |name: &str| line[name].as_u64().unwrap_or(0);
            let count = next - line["lines"][0].as_u64().unwrap();
            match line["verdict"].as_str().unwrap() {
                "inserted" => sum.inserted += count,
                "conflict" => sum.conflicts += count,
                "mixed" => {
                    sum.inserted += of("inserted");
                    sum.conflicts += of("conflicts");
                }
                other => panic!("{other}"),
            }
        }
        assert_eq!((next, sum), (100_001, report.tally()));
    }

    #[test]
    fn ids_that_do_not_follow_each_other_take_bounded_memory() {
        let mut report = Report::new(Verdicts::Ranges);
        (1..=100_000).for_each(|line| report.add(line, inserted(2 * line as i64)));
        assert!(report.runs <= RUNS);
        assert_eq!(taken(&mut report), "{\"lines\":[1,100000],\"verdict\":\"inserted\"}\n");
        assert_eq!(report.runs, 0);
    }

    #[test]
    fn a_client_may_read_problems_only_or_each_verdict() {
        let mut problems = Report::new(Verdicts::Problems);
        let mut each = Report::new(Verdicts::Each);
        for (line, verdict) in
            (1..).zip([inserted(1), there(1), InsertVerdict::Conflict, InsertVerdict::Conflict])
        {
            problems.add(line, verdict);
            each.add(line, verdict);
        }
        assert_eq!(taken(&mut problems), "{\"lines\":[3,4],\"verdict\":\"conflict\"}\n");
        assert_eq!(taken(&mut each).lines().count(), 4);
        assert!(!each.is_full());
        (1..=WAITING as u64).for_each(|line| each.add(line, inserted(line as i64)));
        assert!(each.is_full() && !problems.is_full());
        each.take();
        assert!(!each.is_full());
    }
}
