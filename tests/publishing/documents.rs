//! The documents about the queues.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use support::{process::tool, root, sandbox::succeeded};

/// What a program of this folder prints.
pub fn python(program: &str, paths: &[&PathBuf]) -> String {
    let program = root().join("tests/publishing").join(program);
    let mut command = Command::new("python3");
    command.arg(program).args(paths).env("PYTHONPATH", tool("python")).env("PYTHONDONTWRITEBYTECODE", "1");
    succeeded(&command.output().unwrap()).trim().to_owned()
}

#[test]
fn the_asyncapi_document_is_one_and_is_of_this_version() {
    let schema = Path::new(&tool("publishing")).join("node_modules/@asyncapi/specs/schemas/3.1.0.json");
    let checked = python("asyncapi.py", &[&root().join("packaging/asyncapi.yaml"), &schema]);
    let (version, references) = checked.split_once(' ').unwrap();
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
    assert!(references.parse::<usize>().unwrap() >= 6, "{references}");
}
