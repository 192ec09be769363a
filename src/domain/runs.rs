//! Runs of record ids, such as `1-10,12,15-20`: the compact name of a batch's records.

use std::{fmt, str::FromStr};

use super::RecordId;

/// A set of record ids as ascending runs that neither overlap nor touch.
///
/// The text form is canonical: `first-last` per run, or the id alone, separated by commas, without
/// spaces. Equal sets have equal texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Runs(Vec<(i64, i64)>);

/// Why a text is not a set of record ids.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunsError {
    /// A part is neither `n` nor `n-m`, or is not written in its shortest form.
    #[error("'{0}' is neither a record id nor a run such as 1-10")]
    Malformed(String),
    /// An id is zero or negative, or the part runs backwards.
    #[error("'{0}' is not an ascending run of positive ids")]
    Backwards(String),
    /// A part does not start beyond the end of the one before it.
    #[error("'{0}' overlaps or touches the run before it")]
    Unordered(String),
}

impl Runs {
    /// Adds an id.
    ///
    /// # Panics
    /// If `id` is not positive or not beyond every id in the set: ids come from the database in order.
    pub fn push(&mut self, id: RecordId) {
        assert!(id.0 > 0 && self.last().is_none_or(|last| last < id), "record id {id} out of order");
        match self.0.last_mut() {
            Some((_, last)) if *last + 1 == id.0 => *last = id.0,
            _ => self.0.push((id.0, id.0)),
        }
    }

    /// How many ids there are.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|(first, last)| (last - first + 1) as u64).sum()
    }

    /// How many runs there are.
    pub fn runs(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no id.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The lowest id.
    pub fn first(&self) -> Option<RecordId> {
        self.0.first().map(|run| RecordId(run.0))
    }

    /// The highest id.
    pub fn last(&self) -> Option<RecordId> {
        self.0.last().map(|run| RecordId(run.1))
    }

    /// Whether `id` is in the set.
    pub fn contains(&self, id: RecordId) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= id.0);
        after > 0 && id.0 <= self.0[after - 1].1
    }

    /// How many ids of the set are lower than `id`, if `id` is in the set.
    pub fn position(&self, id: RecordId) -> Option<u64> {
        let below = self.0.iter().take_while(|(first, _)| *first <= id.0);
        let counted = below.map(|(first, last)| (id.0.min(*last) - first + 1) as u64).sum::<u64>();
        self.contains(id).then(|| counted - 1)
    }

    /// Each id, ascending.
    pub fn iter(&self) -> impl Iterator<Item = RecordId> {
        self.0.iter().flat_map(|(first, last)| (*first..=*last).map(RecordId))
    }

    /// Each run as its first and last id, ascending.
    pub fn ranges(&self) -> impl Iterator<Item = (RecordId, RecordId)> {
        self.0.iter().map(|(first, last)| (RecordId(*first), RecordId(*last)))
    }

    /// The ids of both sets.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        let mut runs: Vec<_> = self.0.iter().chain(&other.0).copied().collect();
        runs.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::with_capacity(runs.len());
        for (first, last) in runs {
            match merged.last_mut() {
                Some(previous) if first <= previous.1.saturating_add(1) => previous.1 = previous.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }
}

impl FromIterator<RecordId> for Runs {
    /// Collects ascending ids; panics as [`Runs::push`] does.
    fn from_iter<I: IntoIterator<Item = RecordId>>(ids: I) -> Self {
        let mut runs = Self::default();
        ids.into_iter().for_each(|id| runs.push(id));
        runs
    }
}

impl fmt::Display for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (first, last)) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Runs {
    type Err = RunsError;

    /// Accepts only the canonical form, so that each set has exactly one text.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut runs = Self::default();
        for part in text.split(',').filter(|_| !text.is_empty()) {
            let (first, last) = match part.split_once('-') {
                Some((first, last)) => (parse_id(first, part)?, parse_id(last, part)?),
                None => (parse_id(part, part)?, parse_id(part, part)?),
            };
            if first < 1 || last < first || (first == last && part.contains('-')) {
                return Err(RunsError::Backwards(part.to_owned()));
            }
            if runs.0.last().is_some_and(|previous| first <= previous.1.saturating_add(1)) {
                return Err(RunsError::Unordered(part.to_owned()));
            }
            runs.0.push((first, last));
        }
        Ok(runs)
    }
}

/// Reads digits without sign or leading zero.
fn parse_id(digits: &str, part: &str) -> Result<i64, RunsError> {
    let canonical =
        digits.bytes().all(|b| b.is_ascii_digit()) && !(digits.len() > 1 && digits.starts_with('0'));
    digits
        .parse()
        .ok()
        .filter(|_| canonical)
        .ok_or_else(|| RunsError::Malformed(part.chars().take(64).collect()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::{collection::btree_set, prelude::*};

    use super::*;

    fn runs(ids: &BTreeSet<i64>) -> Runs {
        ids.iter().copied().map(RecordId).collect()
    }

    proptest! {
        #[test]
        fn runs_are_the_set_they_were_made_of(ids in btree_set(1..200_i64, 0..100)) {
            let runs = runs(&ids);
            prop_assert_eq!(runs.iter().map(|id| id.0).collect::<BTreeSet<_>>(), ids.clone());
            prop_assert_eq!(runs.len(), ids.len() as u64);
            prop_assert_eq!(runs.first().map(|id| id.0), ids.first().copied());
            prop_assert_eq!(runs.last().map(|id| id.0), ids.last().copied());
            for id in 0..201 {
                prop_assert_eq!(runs.contains(RecordId(id)), ids.contains(&id));
                let place = ids.iter().position(|other| *other == id).map(|place| place as u64);
                prop_assert_eq!(runs.position(RecordId(id)), place);
            }
            prop_assert_eq!(runs.to_string().parse::<Runs>(), Ok(runs));
        }

        #[test]
        fn merging_is_the_union(a in btree_set(1..60_i64, 0..40), b in btree_set(1..60_i64, 0..40)) {
            let union: BTreeSet<_> = a.union(&b).copied().collect();
            prop_assert_eq!(runs(&a).merge(&runs(&b)), runs(&union));
        }

        #[test]
        fn any_text_is_refused_or_canonical(text in "[0-9,-]{0,20}|.{0,12}") {
            if let Ok(runs) = text.parse::<Runs>() {
                prop_assert_eq!(runs.to_string(), text);
            }
        }
    }

    #[test]
    fn what_is_not_canonical_is_refused() {
        for text in [
            "0",
            "01",
            "+1",
            "-1",
            "5-5",
            "5-4",
            "1,2",
            "1-3,3",
            "4,1",
            "1,",
            ",1",
            "1 ",
            "1-2-3",
            "9223372036854775808",
        ] {
            assert!(text.parse::<Runs>().is_err(), "{text}");
        }
        assert_eq!("9223372036854775807".parse::<Runs>().map(|runs| runs.len()), Ok(1));
    }
}
