//! No circles of files: of any two files in `src/`, at most one needs the other, directly or by way of others.
//!
//! A file needs another when it names what is defined there, in a `use` or in a path; what a `mod.rs` only passes on counts
//! as the file that defines it. A file and the `mod.rs` above it are one module in several files: what that one defines
//! may be named below it.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{File, defined, files, top_level};

const ITEMS: [&str; 9] =
    ["fn", "struct", "enum", "trait", "type", "const", "static", "macro_rules!", "union"];

/// A path, such as `crate::store::Store`, in pieces.
type Path = Vec<String>;

/// A file as a module.
struct Module {
    file: String,
    items: BTreeSet<String>,
    /// What it imports, by the name that this has here; `*` is everything.
    imports: Vec<(String, Path)>,
    /// Every path that it names.
    named: Vec<Path>,
    /// Every word of it, in each folder whose names it all imports: what is defined there is needed.
    perhaps: Vec<Path>,
}

impl Module {
    fn of(file: &File) -> Self {
        let code = file.code.split("#[cfg(test)]\nmod tests").next().unwrap();
        let (statements, body) = split_uses(code);
        let words: BTreeSet<&str> = body.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        let (mut imports, mut named, mut perhaps) = (Vec::new(), Vec::new(), Vec::new());
        for (public, tree) in statements {
            for leaf in leaves(&tree) {
                let (path, alias) = leaf.split_once(" as ").unwrap_or((&leaf, ""));
                let mut path = pieces(path);
                path.pop_if(|last| last == "self");
                let last = path.last().unwrap().clone();
                let name = if alias.is_empty() { last } else { alias.trim().to_owned() };
                // What is only passed on is not needed here.
                if name == "*" && !public {
                    let folder = &path[..path.len() - 1];
                    perhaps.extend(words.iter().map(|word| [folder, &[(*word).to_owned()]].concat()));
                } else if !public || words.contains(&*name) {
                    named.push(path.clone());
                }
                imports.push((name, path));
            }
        }
        let tokens = body.split(|c: char| !c.is_alphanumeric() && !"_:".contains(c));
        named.extend(
            tokens.map(|token| token.trim_matches(':')).filter(|token| token.contains("::")).map(pieces),
        );
        let items = body.lines().filter_map(|line| defined(line, &ITEMS)).map(str::to_owned).collect();
        Self { file: file.path.clone(), items, imports, named, perhaps }
    }
}

fn pieces(path: &str) -> Path {
    path.split("::").map(|piece| piece.trim().to_owned()).collect()
}

/// The trees of all `use` statements, each with whether it is public, and the code without them.
fn split_uses(code: &str) -> (Vec<(bool, String)>, String) {
    let (mut uses, mut body, mut lines) = (Vec::new(), String::new(), code.lines());
    while let Some(line) = lines.next() {
        let start = line.trim_start();
        let bare =
            start.strip_prefix("pub").map_or(start, |rest| rest.split_once(' ').map_or("", |(_, bare)| bare));
        match bare.strip_prefix("use ") {
            Some(tree) => {
                let mut tree = tree.to_owned();
                while !tree.contains(';') {
                    tree += lines.next().expect("a use statement ends");
                }
                uses.push((bare != start, tree.split(';').next().unwrap().to_owned()));
            }
            None => body = body + line + "\n",
        }
    }
    (uses, body)
}

/// Every path of a tree such as `a::{b, c::{d, e as f}}`.
fn leaves(tree: &str) -> Vec<String> {
    let Some((head, rest)) = tree.split_once('{') else { return vec![tree.trim().to_owned()] };
    let inner = &rest[..rest.rfind('}').expect("a brace is closed")];
    top_level(inner)
        .iter()
        .flat_map(|item| leaves(item))
        .map(|leaf| format!("{}{leaf}", head.trim()))
        .collect()
}

/// All modules by their paths.
struct Crate(BTreeMap<Path, Module>);

impl Crate {
    fn of(files: &[File]) -> Self {
        let path = |file: &File| -> Path {
            let path = file.path.trim_start_matches("src/").trim_end_matches(".rs");
            path.split('/').filter(|piece| !["mod", "lib"].contains(piece)).map(str::to_owned).collect()
        };
        let modules = files.iter().filter(|file| file.path != "src/main.rs");
        Self(modules.map(|file| (path(file), Module::of(file))).collect())
    }

    /// The module that defines what `path` means in the module `at`; `None` if that is another crate's.
    fn defines(&self, at: &[String], path: &[String], depth: usize) -> Option<Path> {
        let (at, rest, is_whole) = self.walk(at, path)?;
        let module = self.0.get(&at)?;
        let [name, ..] = rest else { return None }; // a module as such defines nothing
        if module.items.contains(name) {
            return Some(at);
        }
        let imported = |import: &&(String, Path)| import.0 == *name && depth > 0;
        if let Some((_, meant)) = module.imports.iter().find(imported) {
            return self.defines(&at, &[meant, &rest[1..]].concat(), depth - 1);
        }
        let glob = module.imports.iter().filter(|(name, _)| name == "*" && depth > 0);
        let mut through = glob.filter_map(|(_, path)| {
            let path = [&path[..path.len() - 1], rest].concat();
            self.defines(&at, &path, depth - 1).filter(|home| self.0[home].items.contains(name))
        });
        // What a macro makes is not seen, and belongs to the module in which it is looked for.
        through.next().or_else(|| (!is_whole).then_some(at))
    }

    /// As far as `path` names modules from `at` on: the last one, what is left, and whether that is all of it.
    fn walk<'a>(&self, at: &[String], path: &'a [String]) -> Option<(Path, &'a [String], bool)> {
        let (mut at, mut rest) = (at.to_vec(), path);
        while let [first, others @ ..] = rest {
            match &**first {
                "crate" => at.clear(),
                "self" => {}
                "super" => _ = at.pop()?,
                name => {
                    at.push(name.to_owned());
                    if !self.0.contains_key(&at) {
                        at.pop();
                        break;
                    }
                }
            }
            rest = others;
        }
        Some((at, rest, rest.len() == path.len()))
    }

    /// Each file with the files that it needs, and what it names of them.
    fn needs(&self) -> BTreeMap<(&str, &str), BTreeSet<String>> {
        let mut needs = BTreeMap::<_, BTreeSet<_>>::new();
        for (path, module) in &self.0 {
            // A name may stand for what stands for something else: a few times.
            let home = |named: &'_ Path| self.defines(path, named, 8).filter(|home| !path.starts_with(home));
            let is_there = |home: &Path, named: &Path| self.0[home].items.contains(named.last().unwrap());
            let named = module.named.iter().filter_map(|named| Some((home(named)?, named)));
            let perhaps = module.perhaps.iter().filter_map(|named| Some((home(named)?, named)));
            for (home, named) in named.chain(perhaps.filter(|(home, named)| is_there(home, named))) {
                needs.entry((&*module.file, &*self.0[&home].file)).or_default().insert(named.join("::"));
            }
        }
        needs
    }
}

/// The circles among files that need each other like that; each in order, and all in the order of their first.
fn circles<'a>(needs: &BTreeMap<(&'a str, &'a str), BTreeSet<String>>) -> BTreeSet<Vec<&'a str>> {
    let mut next = BTreeMap::<_, Vec<_>>::new();
    needs.keys().for_each(|(file, other)| next.entry(*file).or_default().push(*other));
    let reached = |from: &'a str| {
        let (mut reached, mut left) = (BTreeSet::new(), vec![from]);
        while let Some(file) = left.pop() {
            left.extend(next.get(file).into_iter().flatten().filter(|other| reached.insert(**other)));
        }
        reached
    };
    let reached: BTreeMap<_, _> = next.keys().map(|file| (*file, reached(file))).collect();
    let back = |from: &str, to: &str| reached.get(to).is_some_and(|reached| reached.contains(from));
    let circle = |(file, others): (&&str, &BTreeSet<&'a str>)| {
        others.iter().copied().filter(|other| back(file, other)).collect::<Vec<_>>()
    };
    reached.iter().map(circle).filter(|circle| !circle.is_empty()).collect()
}

#[test]
fn there_are_no_circles_of_files() {
    let files = files("src");
    let modules = Crate::of(&files);
    let needs = modules.needs();
    assert!(needs.len() > 500, "too few to be all: {}", needs.len());
    let circles = circles(&needs);
    for circle in &circles {
        println!("a circle of {} files:", circle.len());
        for ((one, other), names) in
            needs.iter().filter(|(ends, _)| [ends.0, ends.1].iter().all(|end| circle.contains(end)))
        {
            println!(
                "    {one} needs {other}: {}",
                names.iter().map(|name| &**name).collect::<Vec<_>>().join(", ")
            );
        }
    }
    println!("{} files, {} needs, {} circles", files.len(), needs.len(), circles.len());
    assert!(circles.is_empty(), "cut them: {circles:?}");
}

#[test]
fn a_circle_is_found_in_every_form() {
    let circle = |files: &[(&str, &str)]| {
        let file = |(path, text): &(&str, &str)| File {
            path: format!("src/{path}"),
            text: String::new(),
            code: (*text).to_owned(),
        };
        let modules = Crate::of(&files.iter().map(file).collect::<Vec<_>>());
        circles(&modules.needs()).len()
    };
    let b = "use super::a::{self, A};\npub struct B(A);\n";
    for a in [
        "use crate::x::b::B;\npub struct A;\n",
        "use crate::x::{b::{B as C}};\npub struct A;\n",
        "use super::b;\npub struct A;\nfn f() {\n    b::g()\n}\n",
        "pub struct A;\nfn f(b: crate::x::b::B) {}\n",
        "use super::*;\npub struct A(B);\n",
        "use crate::x::B;\npub struct A;\n",
        "use crate::B;\npub struct A;\n",
    ] {
        let files = |b| {
            [
                ("lib.rs", "pub use x::B;\n"),
                ("x/mod.rs", "pub mod a;\nmod b;\npub use b::*;\n"),
                ("x/a.rs", a),
                ("x/b.rs", b),
            ]
        };
        assert_eq!(circle(&files(b)), 1, "{a}");
        assert_eq!(
            circle(&files("use super::a;\npub struct B;\npub fn g() {}\n")),
            0,
            "a module as such is not needed: {a}"
        );
    }
    // A folder's `mod.rs` may use what is below it, and what is below it may use that.
    assert_eq!(
        circle(&[
            ("x/mod.rs", "mod a;\nuse a::A;\npub struct X(A);\n"),
            ("x/a.rs", "use super::X;\npub struct A;\n")
        ]),
        0
    );
}
