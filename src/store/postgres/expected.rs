//! What the migrations make, and how a database differs from it in meaning, one attribute at a time.

use std::collections::BTreeMap;

/// What the migrations make, as `schema.sql` reads it: `tests/postgres_store/migrations.rs` keeps it so.
const MIGRATIONS: &str = include_str!("schema.txt");

/// The remedy where a single statement is not enough.
const REMAKE: &str = "recreate it as 'signwave migrate' creates it in an empty database";

/// Longer values are shown from where they differ.
const SHOWN: usize = 80;

/// Triggers named in one sentence.
const NAMED: usize = 3;

/// The objects of a schema, with what matters of each.
pub(super) struct Schema(BTreeMap<Object, BTreeMap<String, String>>);

/// A trigger, a column, .. of a table or view; or such a table, or a function, itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Object {
    kind: String,
    relation: String,
    name: String,
}

impl Schema {
    /// What the migrations make.
    pub(super) fn of_migrations() -> Self {
        Self::read(MIGRATIONS.lines())
    }

    /// From lines of kind, relation, name, attribute and value.
    pub(super) fn read<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let mut objects: BTreeMap<Object, BTreeMap<String, String>> = BTreeMap::new();
        for line in lines {
            let mut fields = line.splitn(5, '\t').map(str::to_owned);
            let (Some(kind), Some(relation), Some(name), Some(attribute), Some(value)) =
                (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let object = Object { kind, relation, name };
            let value = if object.is_setting() { without_number(value) } else { value };
            objects.entry(object).or_default().insert(attribute, value);
        }
        Self(objects)
    }

    /// The names of the tables and views, divided by spaces.
    pub(super) fn relations(&self) -> String {
        let names = self.0.keys().filter(|object| object.kind == "table" || object.kind == "view");
        names.map(|object| object.relation.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// Whether there is a table of that name.
    pub(super) fn has_table(&self, name: &str) -> bool {
        self.0.keys().any(|object| object.kind == "table" && object.relation == name)
    }

    /// Whether the table of `object` is missing as a whole: then its parts are not named one by one.
    fn lacks_table_of(&self, object: &Object) -> bool {
        !object.name.is_empty()
            && !object.relation.is_empty()
            && !self.0.keys().any(|known| known.name.is_empty() && known.relation == object.relation)
    }

    /// Every trigger that refuses something, as `table.trigger`, and the mode in which it is enabled. The
    /// others notify nodes.
    pub(super) fn guards(&self) -> impl Iterator<Item = (String, &str)> {
        self.0.iter().filter(|(object, _)| object.kind == "trigger").filter_map(|(object, is)| {
            let only_notifies = is.get("definition")?.ends_with("EXECUTE FUNCTION signwave_tell()");
            let enabled = is.get("enabled")?.as_str();
            (!only_notifies).then(|| (format!("{}.{}", object.relation, object.name), enabled))
        })
    }

    /// A sentence for each difference: what was expected, what was found, what to do. Additional objects may be
    /// the user's, except those that change what is stored or read, or that let everybody do so.
    pub(super) fn differences(&self, found: &Self) -> Vec<String> {
        let mut sentences = Vec::new();
        let mut switched: BTreeMap<(&str, &str), Vec<&Object>> = BTreeMap::new();
        for (object, expected) in &self.0 {
            let Some(is) = found.0.get(object) else {
                if object.kind != "grant" && !found.lacks_table_of(object) {
                    sentences.push(format!("{object} is missing: {REMAKE}"));
                }
                continue;
            };
            for (attribute, expected) in expected {
                let is = is.get(attribute).map_or("", String::as_str);
                if is == expected {
                    continue;
                }
                if object.kind == "trigger" && attribute == "enabled" {
                    switched.entry((is, expected)).or_default().push(object);
                } else {
                    sentences.push(object.differs(attribute, is, expected));
                }
            }
        }
        sentences.extend(switched.into_iter().flat_map(|(how, triggers)| enabled_otherwise(how, &triggers)));
        let strange = found.0.keys().filter(|object| object.is_harmful() && !self.0.contains_key(*object));
        sentences.extend(strange.map(Object::is_strange));
        sentences.into_iter().map(|sentence| sentence.replace(char::is_control, " ")).collect()
    }
}

impl Object {
    /// Users may set the largest payload.
    fn is_setting(&self) -> bool {
        self.kind == "constraint" && self.name == "record_payload_is_within_its_limit"
    }

    fn is_harmful(&self) -> bool {
        ["trigger", "rule", "policy", "grant"].contains(&self.kind.as_str())
    }

    fn differs(&self, attribute: &str, found: &str, expected: &str) -> String {
        let (found_part, expected_part) = (excerpt(found, expected), excerpt(expected, found));
        let remedy = self.remedy(attribute, expected).unwrap_or_else(|| REMAKE.to_owned());
        format!("{self}: its {attribute} is '{found_part}', expected '{expected_part}': {remedy}")
    }

    fn remedy(&self, attribute: &str, expected: &str) -> Option<String> {
        let relation = &self.relation;
        match (self.kind.as_str(), attribute) {
            ("table", "row security") => Some(format!(
                "ALTER TABLE {relation} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY"
            )),
            ("table", "persistence") => Some(format!("ALTER TABLE {relation} SET LOGGED")),
            ("table" | "view" | "sequence", "owner") => {
                Some(format!("ALTER TABLE {relation} OWNER TO the owner of record"))
            }
            ("sequence", "definition") if !self.name.is_empty() => Some(format!(
                "ALTER TABLE {relation} ALTER {} SET INCREMENT 1 SET MINVALUE 1 SET NO MAXVALUE SET CACHE 1 SET NO CYCLE",
                self.name
            )),
            ("trigger", "enabled") => {
                let always = if expected == "always" { "ALWAYS " } else { "" };
                Some(format!("ALTER TABLE {relation} ENABLE {always}TRIGGER {}", self.name))
            }
            _ => None,
        }
    }

    fn is_strange(&self) -> String {
        let Self { kind, relation, name } = self;
        let remedy = match kind.as_str() {
            "grant" if relation.ends_with(')') => format!("REVOKE {name} ON FUNCTION {relation} FROM PUBLIC"),
            "grant" => format!("REVOKE {name} ON {relation} FROM PUBLIC"),
            _ => format!("DROP {} {name} ON {relation}", kind.to_uppercase()),
        };
        match kind.as_str() {
            "grant" => format!("everybody has the right to {name} on {relation}: {remedy}"),
            _ => format!("{self} is not Sign Wave's: {remedy}"),
        }
    }
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, relation, name } = self;
        match kind.as_str() {
            "table" | "view" => write!(f, "{kind} {relation}"),
            "function" => write!(f, "function {name}"),
            "column" => write!(f, "column {relation}.{name}"),
            "sequence" if name.is_empty() => write!(f, "sequence {relation}"),
            "sequence" => write!(f, "the sequence of {relation}.{name}"),
            _ => write!(f, "{kind} {name} of {relation}"),
        }
    }
}

/// One sentence for each of a few triggers. When all are switched over, as for a copy by replication, one is
/// enough.
fn enabled_otherwise((found, expected): (&str, &str), triggers: &[&Object]) -> Vec<String> {
    if triggers.len() <= NAMED {
        return triggers.iter().map(|trigger| trigger.differs("enabled", found, expected)).collect();
    }
    let names: Vec<_> = triggers.iter().take(NAMED).map(|trigger| trigger.name.as_str()).collect();
    vec![format!(
        "{} triggers are enabled '{found}', expected '{expected}' ({}, ..): run packaging/promote.sql to set them all",
        triggers.len(),
        names.join(", ")
    )]
}

/// The part of a long text in which it differs from another.
fn excerpt<'a>(text: &'a str, other: &str) -> std::borrow::Cow<'a, str> {
    if text.chars().count() <= SHOWN {
        return text.into();
    }
    let same = text.chars().zip(other.chars()).take_while(|(one, another)| one == another).count();
    let skipped = same.saturating_sub(SHOWN / 4);
    let shown: String = text.chars().skip(skipped).take(SHOWN).collect();
    let before = if skipped > 0 { ".." } else { "" };
    let after = if text.chars().nth(skipped + SHOWN).is_some() { ".." } else { "" };
    format!("{before}{shown}{after}").into()
}

/// `CHECK (octet_length(payload) <= 1048576)` is as good with any other number.
fn without_number(definition: String) -> String {
    let Some((before, rest)) = definition.split_once(" <= ") else { return definition };
    let (number, after) = rest.split_at(rest.find(')').unwrap_or(rest.len()));
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return definition;
    }
    format!("{before} <= a number{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differences(expected: &str, found: &str) -> Vec<String> {
        Schema::read(expected.lines()).differences(&Schema::read(found.lines()))
    }

    #[test]
    fn what_lacks_differs_or_is_strange_is_named() {
        let expected = "table\ta\t\tkind\ttable\nindex\ta\tx\tvalid\tyes\ntrigger\ta\ty\tenabled\talways\ngrant\tf()\tEXECUTE\tto PUBLIC\tyes";
        assert_eq!(differences(expected, expected), Vec::<String>::new());
        let found = "table\ta\t\tkind\ttable\nindex\ta\tx\tvalid\tno\ntrigger\ta\tz\tenabled\talways\nindex\ta\tmine\tvalid\tyes\n\
                     grant\ta\tINSERT\tto PUBLIC\tyes";
        assert_eq!(
            differences(expected, found),
            [
                format!("index x of a: its valid is 'no', expected 'yes': {REMAKE}"),
                format!("trigger y of a is missing: {REMAKE}"),
                "everybody has the right to INSERT on a: REVOKE INSERT ON a FROM PUBLIC".to_owned(),
                "trigger z of a is not Sign Wave's: DROP TRIGGER z ON a".to_owned(),
            ]
        );
    }

    #[test]
    fn the_largest_payload_may_be_any_number_and_nothing_else() {
        let limit = |limit: &str| {
            let name = "constraint\trecord\trecord_payload_is_within_its_limit\tdefinition";
            format!("{name}\tCHECK (octet_length(payload) <= {limit}) NOT VALID")
        };
        assert_eq!(differences(&limit("16777216"), &limit("1")), Vec::<String>::new());
        for other in ["NULL", "-1", "1 + 1", "1 OR true", "length(payload)", ""] {
            assert_eq!(differences(&limit("16777216"), &limit(other)).len(), 1, "{other}");
        }
    }

    #[test]
    fn of_long_definitions_the_part_that_differs_is_shown() {
        let (same, tail) = ("x".repeat(200), "y".repeat(200));
        let shown = excerpt(&format!("{same}1{tail}"), &format!("{same}2{tail}")).into_owned();
        assert_eq!(shown, format!("..{}1{}..", "x".repeat(20), "y".repeat(59)));
        assert_eq!(excerpt("short", "other"), "short");
    }
}
