//! The files of the dashboard, and the headers that keep other pages out of it.

use support::{
    api::{Api, text},
    root,
    sandbox::Sandbox,
};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Every file below `dashboard/`, with its path from there.
fn files() -> Vec<(String, Vec<u8>)> {
    let folder = root().join("dashboard");
    let (mut folders, mut files) = (vec![folder.clone()], Vec::new());
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
            files.push((name, std::fs::read(&path).unwrap()));
        }
    }
    files
}

/// What browsers must be told of a file by its name.
fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        "md" => "text/markdown; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[test]
fn every_file_is_served_as_it_is_with_its_type_and_the_policy() {
    let sandbox = Sandbox::migrated();
    let api = Api::start(&sandbox, &[]);
    let files = files();
    assert!(files.iter().any(|(name, _)| name == "index.html"));
    for (name, content) in &files {
        let path = if name == "index.html" { "/".to_owned() } else { format!("/assets/{name}") };
        let mut answer = api.get(&path, &[]);
        assert_eq!(answer.status(), 200, "{path}");
        for (header, expected) in [
            ("content-type", media_type(name)),
            ("content-security-policy", POLICY),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-cache"),
        ] {
            assert_eq!(answer.headers()[header], expected, "{path}: {header}");
        }
        assert!(!answer.headers().contains_key("strict-transport-security"), "plain HTTP");
        let tag = answer.headers()["etag"].clone();
        assert!(!tag.to_str().unwrap().starts_with("W/"));
        assert_eq!(answer.body_mut().read_to_vec().unwrap(), *content, "{path}");
        let known = api.get(&path, &[("if-none-match", tag.to_str().unwrap())]);
        assert_eq!(
            (known.status().as_u16(), known.headers()["etag"].clone(), text(known)),
            (304, tag, String::new())
        );
        assert_eq!(api.get(&path, &[("if-none-match", "\"other\"")]).status(), 200);
    }
}

#[test]
fn the_dashboard_can_be_turned_off() {
    let api = |sandbox: &Sandbox, whether| Api::start(sandbox, &["--dashboard", whether]);
    for (whether, expected) in [("on", 200), ("off", 404)] {
        let sandbox = Sandbox::migrated();
        let api = api(&sandbox, whether);
        assert_eq!(api.get("/", &[]).status(), expected, "{whether}");
        assert_eq!(api.get("/docs/index.html", &[]).status(), 200);
        assert_eq!(api.service.log().contains("the dashboard is at"), whether == "on");
    }
}

#[test]
fn no_path_leaves_the_folder() {
    let sandbox = Sandbox::migrated();
    let api = Api::start(&sandbox, &[]);
    for path in [
        "",
        "index.html",
        "nothing.js",
        "..%2fCargo.toml",
        "%2e%2e/Cargo.toml",
        "%2e%2e%2fdashboard%2findex.html",
        "views/%2e%2e/index.html",
        "%2fetc%2fpasswd",
        "//etc/passwd",
        "index.html%00",
        "a%5c..%5cindex.html",
    ] {
        assert_eq!(api.get(&format!("/assets/{path}"), &[]).status(), 404, "{path}");
    }
}
