//! The files of the project, and what of them is code.

use std::{fs, path::Path};

/// A file of Rust.
pub struct File {
    /// From the project's folder.
    pub path: String,
    pub text: String,
    /// See [`code`].
    pub code: String,
}

/// Every file of Rust below a folder of the project, in the order of their paths.
pub fn files(folder: &str) -> Vec<File> {
    let mut paths = paths(&support::root().join(folder));
    paths.sort();
    let read = |path: String| {
        let text = fs::read_to_string(&path).unwrap();
        let short = &path[path.find(&format!("/../../{folder}")).unwrap() + "/../../".len()..];
        File { path: short.to_owned(), code: code(&text), text }
    };
    paths.into_iter().map(read).collect()
}

fn paths(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let rust = entries.filter(|path| path.is_dir() || path.extension().is_some_and(|end| end == "rs"));
    rust.flat_map(|path| if path.is_dir() { paths(&path) } else { vec![path.to_str().unwrap().to_owned()] })
        .collect()
}

/// The same lines without comments and without what stands between quotes, so that these may name what they like.
pub fn code(text: &str) -> String {
    let (mut code, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(c) = rest.chars().next() {
        let length = prose(rest);
        if length == 0 {
            code.push(c);
        } else {
            code.extend(rest[..length].chars().filter(|c| *c == '\n'));
        }
        rest = &rest[length.max(c.len_utf8())..];
    }
    code
}

/// The length of the comment, the text or the character that `rest` begins with; 0 if it begins with code.
fn prose(rest: &str) -> usize {
    let to = |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    let hashes =
        rest.strip_prefix('r').map_or("", |raw| &raw[..raw.len() - raw.trim_start_matches('#').len()]);
    let open = 1 + hashes.len();
    if rest.starts_with("//") {
        rest.find('\n').unwrap_or(rest.len())
    } else if rest.starts_with("/*") {
        to("*/", 2)
    } else if rest.starts_with('r') && rest[open..].starts_with('"') {
        to(&format!("\"{hashes}"), open + 1)
    } else if rest.starts_with('"') {
        quoted(rest)
    } else if rest.starts_with("'\\") {
        to("'", 3)
    } else {
        // A quote without another two characters on is a lifetime.
        let after =
            rest.strip_prefix('\'').and_then(|rest| rest.chars().next()).map_or(0, |c| 1 + c.len_utf8());
        if after > 0 && rest[after..].starts_with('\'') { after + 1 } else { 0 }
    }
}

/// The length of a text between quotes, with both of them.
fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    let end = rest.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map_or(rest.len(), |(at, _)| at + 1)
}

/// Splits `a::{b, c}, d` at the commas outside braces.
pub fn top_level(group: &str) -> Vec<String> {
    let (mut items, mut depth) = (vec![String::new()], 0);
    for c in group.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        match c {
            ',' if depth == 0 => items.push(String::new()),
            c => items.last_mut().unwrap().push(c),
        }
    }
    items.iter().map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

/// The name of the item that a line begins, if it begins with one of these words after its qualifiers.
pub fn defined<'a>(line: &'a str, words: &[&str]) -> Option<&'a str> {
    let bare =
        line.strip_prefix("pub").map_or(line, |rest| rest.split_once(' ').map_or("", |(_, bare)| bare));
    let mut rest = bare;
    loop {
        let (word, after) = rest.split_once(' ')?;
        let name = after.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
        if !["async", "const", "unsafe"].contains(&word) || !["async", "fn", "unsafe"].contains(&name) {
            return Some(name).filter(|_| words.contains(&word));
        }
        rest = after;
    }
}

#[test]
fn comments_and_texts_are_no_code() {
    let text = "a // b\nc /* d\n */ e \"f // \\\" g\" h '\"' i r#\"j\"k\"# l '\\'' m<'n> o\n";
    assert_eq!(code(text), "a \nc \n e  h  i  l  m<'n> o\n");
    assert_eq!(top_level("a::{b, c}, d,"), ["a::{b, c}", "d"]);
    let words = ["fn", "const", "struct", "macro_rules!"];
    for (line, name) in [
        ("fn a() {", Some("a")),
        ("pub(crate) const fn b<T>()", Some("b")),
        ("pub async fn c(", Some("c")),
        ("pub const D: u8 = 1;", Some("D")),
        ("macro_rules! e {", Some("e")),
        ("impl A {", None),
        ("    fn inside() {", None),
    ] {
        assert_eq!(defined(line, &words), name, "{line}");
    }
}
