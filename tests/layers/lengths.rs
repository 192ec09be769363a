//! Files and functions stay short enough to be read at once, and each file says first what it is for.

use crate::source::{File, defined, files};

const LINES_AT_MOST: usize = 400;

/// Of a function in `src/`, from its first line to the brace that ends it.
const FUNCTION_AT_MOST: usize = 60;

#[test]
fn every_file_says_its_purpose_first_and_stays_short() {
    let files = ["src", "tests", "fuzz", "bench"].map(files);
    for File { path, text, .. } in files.iter().flatten() {
        let generated = text.starts_with("// @generated");
        assert!(generated || text.starts_with("//! "), "{path}: the first line says what the file is for");
        let lines = text.lines().count();
        assert!(lines <= LINES_AT_MOST, "{path}: {lines} lines");
    }
    println!("{} files of at most {LINES_AT_MOST} lines", files.iter().flatten().count());
}

/// Every function of a file with its number of lines.
fn functions(file: &File) -> Vec<(&str, usize)> {
    let lines: Vec<_> = file.code.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let length = |at: usize| {
        // It ends with the first line that is indented like its first one and ends something.
        let ends = |line: &&str| indent(line) == indent(lines[at]) && line.trim_end().ends_with(['}', ';']);
        1 + lines[at..].iter().position(ends).expect("a function ends")
    };
    let names = lines.iter().enumerate();
    names.filter_map(|(at, line)| Some((defined(line.trim_start(), &["fn"])?, length(at)))).collect()
}

#[test]
fn no_function_is_too_long() {
    let files = files("src");
    let functions: Vec<_> = files
        .iter()
        .flat_map(|file| functions(file).into_iter().map(move |(name, lines)| (&file.path, name, lines)))
        .collect();
    let mut lengths: Vec<_> = functions.iter().map(|(.., lines)| *lines).collect();
    lengths.sort_unstable();
    println!("{} functions, half of at most {} lines", lengths.len(), lengths[lengths.len() / 2]);
    assert!(lengths.len() > 1000, "too few to be all");
    let long: Vec<_> = functions
        .iter()
        .filter(|(.., lines)| *lines > FUNCTION_AT_MOST)
        .map(|(path, name, lines)| format!("{path}: {name}: {lines}"))
        .collect();
    assert!(long.is_empty(), "cut them: {long:?}");
}
