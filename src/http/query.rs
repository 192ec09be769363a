//! Queries: the parameters behind the `?` of an address.

use std::{
    fmt,
    future::{Ready, ready},
    str::FromStr,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};

use super::problem::{Kind, Problem};
use crate::{domain::KeyId, store::KeyRow};

/// The parameters of a request. Unknown ones must be refused by `T`, so that a misspelt filter does not show
/// everything.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parsed = web::Query::<T>::from_query(request.query_string());
        ready(parsed.map(|query| Self(query.into_inner())).map_err(|_| {
            Problem::because(
                Kind::InvalidRequest,
                "A parameter of the query is unknown, repeated or not valid.",
            )
        }))
    }
}

/// A database id as clients write it: decimal digits without a sign or leading zero, and not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(pub i64);

/// A text that is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id")]
pub struct NotAnId;

impl FromStr for Id {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let is_canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        text.parse().ok().filter(|_| is_canonical).map(Self).ok_or(NotAnId)
    }
}

/// The place of a key in both orders of keys, as `PLACE-ID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyCursor {
    /// Its place in the order of use, 0 when never used.
    pub place: i64,
    /// The key.
    pub key: KeyId,
}

impl KeyCursor {
    /// The place of a key.
    pub fn of(key: &KeyRow) -> Self {
        Self { place: key.last_leased, key: key.id }
    }
}

impl fmt::Display for KeyCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.place, self.key)
    }
}

impl FromStr for KeyCursor {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let (place, key) = text.split_once('-').ok_or(NotAnId)?;
        let place = if place == "0" { 0 } else { place.parse::<Id>()?.0 };
        Ok(Self { place, key: KeyId(key.parse::<Id>()?.0) })
    }
}

/// Reads a parameter by its parser.
///
/// # Errors
/// That the text is not valid.
pub fn parsed<'de, D: Deserializer<'de>, T: FromStr>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(|_| D::Error::custom("not valid"))
}

/// How many rows a page has: 100 unless the client asks for 1 to 1,000.
///
/// # Errors
/// [`Kind::InvalidRequest`].
pub fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked {
        None => Ok(100),
        Some(limit @ 1..=1000) => Ok(limit),
        Some(_) => Err(Problem::because(Kind::InvalidRequest, "The limit of a page is 1 to 1000.")),
    }
}

/// A page of at most `limit` rows, and the cursor of the next page unless this is the last one. `found` has one row more
/// than the page if there is a next page: callers must ask the store for `limit + 1` rows.
pub fn page<T>(mut found: Vec<T>, limit: usize, cursor: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    let is_last = found.len() <= limit;
    found.truncate(limit);
    let next = found.last().filter(|_| !is_last).map(cursor);
    (found, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_in_one_way_only() {
        assert_eq!("17".parse(), Ok(Id(17)));
        assert_eq!(i64::MAX.to_string().parse(), Ok(Id(i64::MAX)));
        for text in ["", "0", "01", "+1", "-1", "1 ", "1.0", "9223372036854775808", "é", "%31"] {
            assert_eq!(text.parse::<Id>(), Err(NotAnId), "{text}");
        }
    }

    #[test]
    fn only_a_page_with_a_row_behind_it_has_a_next_one() {
        let page = |rows: i32| page((1..=rows).collect(), 2, i32::to_string);
        assert_eq!(page(0), (vec![], None));
        assert_eq!(page(2), (vec![1, 2], None));
        assert_eq!(page(3), (vec![1, 2], Some("2".to_owned())));
    }

    #[test]
    fn a_cursor_is_a_place_and_an_id() {
        for (place, key) in [(0, 3), (17, 3), (i64::MAX, i64::MAX)] {
            let cursor = KeyCursor { place, key: KeyId(key) };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for text in ["", "-", "3", "0-0", "00-1", "-1-1", "1-", "-1", "1-2-3", "1--2", "a-b"] {
            assert_eq!(text.parse::<KeyCursor>(), Err(NotAnId), "{text}");
        }
    }
}
