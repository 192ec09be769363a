//! Checking the database itself: is the schema, which holds the promises, still what it was made as?

use std::collections::BTreeMap;

use diesel::sql_types::Text;

use super::{PostgresStore, connection::check_sequence, limit};
use crate::store::{
    StoreError,
    sql::{Sql, rows},
};

/// What the migrations make, as `schema.sql` reads it.
const EXPECTED: &str = include_str!("schema.txt");

/// See [`crate::store::Store::audit`].
pub(super) fn audit(store: &PostgresStore) -> Result<Vec<String>, StoreError> {
    let found = store.read(|connection| Ok(rows::<Objects, String, _>(connection, &[])?))?;
    let mut problems = compare(&named(EXPECTED.lines()), &named(found.iter().map(String::as_str)));
    if let Err(problem) = store.query(check_sequence) {
        problems.push(problem.to_string());
    }
    if let Err(problem) = store.query(limit::find) {
        problems.push(problem.to_string());
    }
    Ok(problems)
}

type Schema<'a> = BTreeMap<&'a str, &'a str>;

fn named<'a>(lines: impl Iterator<Item = &'a str>) -> Schema<'a> {
    lines.filter_map(|line| line.rsplit_once('\t')).collect()
}

/// What is more than expected may be the user's own, except a trigger, which can change what is stored.
fn compare(expected: &Schema<'_>, found: &Schema<'_>) -> Vec<String> {
    let shown = |name: &str| name.replace('\t', " ");
    let lacking = expected.iter().filter_map(|(name, definition)| match found.get(name) {
        None => Some(format!("{} is missing", shown(name))),
        Some(found) if found != definition => Some(format!("{} was changed", shown(name))),
        Some(_) => None,
    });
    let strange = found
        .keys()
        .filter(|name| name.starts_with("trigger\t") && !expected.contains_key(*name))
        .map(|name| format!("{} is not Sign Wave's", shown(name)));
    lacking.chain(strange).collect()
}

struct Objects;
impl Sql for Objects {
    const TEXT: &'static str = include_str!("schema.sql");
    type Columns = Text;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lacks_differs_or_is_strange_is_named() {
        let expected = named("index\ta\tx\t1\ntrigger\ta\ty\t1".lines());
        assert_eq!(compare(&expected, &expected), Vec::<String>::new());
        let found = named("index\ta\tx\t2\ntrigger\ta\tz\t1\nindex\ta\tmine\t1".lines());
        assert_eq!(
            compare(&expected, &found),
            ["index a x was changed", "trigger a y is missing", "trigger a z is not Sign Wave's"]
        );
    }
}
