//! Flags go before the environment, that before the file, that before the defaults; nothing unknown passes.

use support::sandbox::{Sandbox, failed, succeeded};

/// The database that a command says it does not find, given an environment.
fn missing_database(sandbox: &Sandbox, flags: &[&str], environment: &[(&str, &str)]) -> String {
    let mut command = sandbox.command(&[flags, &["status"]].concat());
    let error = failed(1, &command.envs(environment.iter().copied()).output().unwrap());
    error.strip_prefix("there is no database at '").unwrap().split('\'').next().unwrap().to_owned()
}

#[test]
fn the_nearest_source_decides() {
    let sandbox = Sandbox::new();
    assert_eq!(missing_database(&sandbox, &[], &[]), "signwave.db");
    sandbox.write("signwave.toml", "database = 'file.db'");
    assert_eq!(missing_database(&sandbox, &[], &[]), "file.db");
    let url = ("DATABASE_URL", "url.db");
    assert_eq!(missing_database(&sandbox, &[], &[url]), "url.db");
    let own = ("SIGNWAVE_DATABASE", "own.db");
    assert_eq!(missing_database(&sandbox, &[], &[url, own]), "own.db");
    assert_eq!(missing_database(&sandbox, &["--database", "flag.db"], &[url, own]), "flag.db");
    let mut after = sandbox.command(&["status", "--database", "sqlite://flag.db"]);
    assert!(failed(1, &after.envs([url, own]).output().unwrap()).contains("'flag.db'"));
}

#[test]
fn settings_of_the_file_and_the_environment_are_used() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--records", "12", "--keys", "1"]);
    sandbox.write("signwave.toml", "[signing]\nbatch-size = 2\nscheme = 'RS256'\n[import]\nmax-payload = 3");
    let mut sign = sandbox.command(&["sign"]);
    succeeded(&sign.env("SIGNWAVE_BATCH_SIZE", "3").output().unwrap());
    assert_eq!(sandbox.number("SELECT count(*) FROM batch WHERE record_count = 3 AND scheme = 'RS256'"), 4);
    sandbox.write("r.txt", "four\n");
    assert!(sandbox.fails(1, &["import", "r.txt"]).contains("larger than 3 bytes"));
    sandbox.ok(&["import", "r.txt", "--max-payload", "4"]);
    assert!(
        sandbox
            .fails(1, &["sign", "--config", "no.toml"])
            .starts_with("the settings file 'no.toml' cannot be read")
    );
}

#[test]
fn what_is_unknown_or_out_of_range_is_an_error_everywhere() {
    let sandbox = Sandbox::migrated();
    for (file, error) in [
        ("batch-size = 1", "signwave.toml:1: unknown field `batch-size`"),
        ("[signing]\nbatch-sise = 1", "signwave.toml:2: unknown field `batch-sise`"),
        ("[signing]\nbatch-size = 0", "batch-size is 0, but must be from 1 to 100000"),
    ] {
        sandbox.write("signwave.toml", file);
        assert!(sandbox.fails(2, &["sign"]).starts_with(error), "{file}");
    }
    sandbox.write("signwave.toml", "");
    for (name, value, error) in [
        ("SIGNWAVE_BATCHSIZE", "1", "unknown environment variable SIGNWAVE_BATCHSIZE: unset it"),
        ("SIGNWAVE_", "1", "unknown environment variable SIGNWAVE_: unset it"),
        ("SIGNWAVE_BATCH_SIZE", "0", "batch-size is 0"),
    ] {
        let output = sandbox.command(&["sign"]).env(name, value).output().unwrap();
        assert!(failed(2, &output).starts_with(error), "{name}");
    }
    let output = sandbox.command(&["sign"]).env("SIGNWAVE_BATCH_SIZE", "many").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(sandbox.fails(2, &["sign", "--batch-size", "0"]).starts_with("batch-size is 0"));
}

#[test]
fn roles_are_read_from_everywhere_and_an_unknown_one_is_an_error() {
    let sandbox = Sandbox::migrated();
    for value in ["", "emits", "emit,"] {
        let mut serve = sandbox.command(&["serve"]);
        let output = serve.env("SIGNWAVE_ROLES", value).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{value}");
        assert!(
            error.contains(&format!("unknown role in '{value}': use emit, sign or emit,sign")),
            "{error}"
        );
    }
    sandbox.write("signwave.toml", "[serve]\nroles = 'none'");
    assert!(sandbox.fails(2, &["serve"]).starts_with("signwave.toml:2: unknown role in 'none'"));
}

#[test]
fn the_check_of_signatures_can_be_asked_for_and_not_turned_off() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--records", "4", "--keys", "1"]);
    for text in ["never", "no", "Always", ""] {
        let mut sign = sandbox.command(&["sign"]);
        let output = sign.env("SIGNWAVE_CHECK_SIGNATURES", text).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(error.contains("for check-signatures: use needed or always"), "{error}");
    }
    sandbox.write("signwave.toml", "[signing]\ncheck-signatures = 'never'");
    assert!(
        sandbox
            .fails(2, &["sign"])
            .starts_with("signwave.toml:2: unknown value 'never' for check-signatures")
    );
    sandbox.write("signwave.toml", "[signing]\ncheck-signatures = 'always'");
    sandbox.ok(&["sign"]);
    sandbox.ok(&["verify"]);
}

#[test]
fn an_emitter_needs_no_master_key_and_has_a_name_of_its_own() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["seed", "--records", "12", "--keys", "1"]);
    std::fs::remove_file(sandbox.path("signwave.db.master")).unwrap();
    assert!(sandbox.fails(1, &["serve"]).starts_with("the master key file"));
    let mut serve = sandbox.command(&["serve", "--roles", "emit"]).spawn().unwrap();
    while sandbox.number("SELECT count(*) FROM batch") == 0 {
        assert_eq!(serve.try_wait().unwrap(), None);
    }
    let (id, name) = sandbox.rows("SELECT id AS number, name AS text FROM node").remove(0);
    let shown: serde_json::Value = serde_json::from_str(&sandbox.ok(&["status", "--json"])).unwrap();
    assert_eq!((&shown["nodes"][0]["id"], &shown["nodes"][0]["name"]), (&id.into(), &name.clone().into()));
    assert!(name.ends_with(&format!("-{}", serve.id())), "{name}");
    assert!(name.len() > format!("-{}", serve.id()).len(), "{name}");
    serve.kill().unwrap();
    serve.wait().unwrap();
    assert_eq!(sandbox.rows("SELECT id AS number, state AS text FROM batch"), [(1, "open".to_owned())]);
}

#[test]
fn programs_get_json_and_people_get_causes() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["status", "--log-format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let line: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(line["level"], "error");
    assert_eq!(line["message"], "there is no database at 'signwave.db': 'signwave migrate' makes one");

    sandbox.ok(&["migrate"]);
    let said = |arguments: &[&str]| String::from_utf8(sandbox.run(arguments).stderr).unwrap();
    let sentence = "signwave: cannot open 'no.csv': check its name and permissions\n";
    assert_eq!(said(&["import", "no.csv"]), sentence);
    let cause = "  because: No such file or directory (os error 2)\n";
    assert_eq!(said(&["-v", "import", "no.csv"]), [sentence, cause].concat());
}

#[test]
fn completions_are_scripts_of_their_shells() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(sandbox.ok(&["completions", shell]).contains("init-master"), "{shell}");
    }
    sandbox.write("completions", sandbox.ok(&["completions", "bash"]));
    assert!(sandbox.program("bash", &["-n", "completions"]).status().unwrap().success());
}
