//! Short texts out of a database, an answer of a server or a command line.

use std::{fmt::Debug, fmt::Display, str::FromStr};

use signwave::{
    config::Roles,
    domain::{BatchState, Fingerprint, KeyState, Position, RecordId, Runs, Scheme, Scopes, TokenId, Who},
    http::query::{Id, KeyCursor},
    signer::Engine,
    store::{StoreError, postgres_error, sqlite_error},
};

/// Runs of record ids: a set and its text are one and the same, and no size of a run costs anything.
pub fn record_runs(bytes: &[u8]) {
    let Some(text) = super::text(bytes) else { return };
    let runs: Runs = match text.parse() {
        Ok(runs) => runs,
        Err(error) => {
            let error = signwave::domain::RunsError::to_string(&error);
            assert!(error.chars().count() <= 200, "{error}");
            return;
        }
    };
    assert_eq!(runs.to_string(), text);
    let ranges: Vec<_> = runs.ranges().map(|(first, last)| (first.0, last.0)).collect();
    assert!(ranges.iter().all(|(first, last)| 1 <= *first && first <= last));
    assert!(
        ranges.windows(2).all(|pair| pair[0].1 < pair[1].0 - 1),
        "they neither overlap nor touch: {text}"
    );
    let count: i128 = ranges.iter().map(|(first, last)| i128::from(last - first) + 1).sum();
    assert_eq!((i128::from(runs.len()), runs.is_empty()), (count, text.is_empty()));
    assert_eq!(runs.first().map(|id| id.0), ranges.first().map(|range| range.0));
    assert_eq!(runs.last().map(|id| id.0), ranges.last().map(|range| range.1));
    for (first, last) in &ranges {
        assert!(runs.contains(RecordId(*first)) && runs.contains(RecordId(*last)));
        assert!(
            !runs.contains(RecordId(first - 1)) && !runs.contains(RecordId(last.saturating_add(1)))
                || *last == i64::MAX
        );
    }
    assert!(runs.iter().take(100).is_sorted());
    assert_eq!(runs.merge(&runs), runs);
    assert_eq!(runs.merge(&Runs::default()), runs);
}

/// Names: each is read back as it is shown.
pub fn names(bytes: &[u8]) {
    let Some(text) = super::text(bytes) else { return };
    read_back::<Scheme>(text);
    read_back::<KeyState>(text);
    read_back::<BatchState>(text);
    read_back::<Roles>(text);
    read_back::<Engine>(text);
    read_back::<Fingerprint>(text);
    read_back::<Scopes>(text);
    read_back::<TokenId>(text);
    read_back::<Who>(text);
}

fn read_back<T: FromStr + Display + PartialEq + Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string().parse().ok(), Some(value), "{text}");
    }
}

/// Ids and places that clients of the API send: each has one text, and names nothing below 1.
pub fn queries(bytes: &[u8]) {
    let Some(text) = super::text(bytes) else { return };
    if let Ok(Id(id)) = text.parse() {
        assert!(id > 0 && id.to_string() == text, "{text}");
    }
    if let Ok(cursor) = text.parse::<KeyCursor>() {
        assert!(cursor.place >= 0 && cursor.key.0 > 0 && cursor.to_string() == text, "{text}");
    }
    if let Ok(position) = text.parse::<Position>() {
        assert!(
            position.place.0 >= 0 && position.to_string() == text && text.len() <= Position::LONGEST,
            "{text}"
        );
    }
}

/// What a server or SQLite says: it has a meaning, in one line, whatever it is.
pub fn server_errors(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for error in [postgres_error(&text), sqlite_error(&text)] {
        let certain = !matches!(error, StoreError::UnknownOutcome(_));
        assert!(certain, "a text alone never means that a commit may have happened: {text}");
        if let Some(ours) = text.strip_prefix("signwave: ") {
            assert_eq!(error, StoreError::Refused(ours.to_owned()));
        }
    }
    match postgres_error(&text) {
        StoreError::Unavailable(text) | StoreError::Other(text) => assert!(!text.contains('\n')),
        _ => {}
    }
}
