//! The ways to name a server: all of libpq's.

use std::{fs, path::Path};

use diesel::connection::SimpleConnection;
use support::{
    postgres::Cluster,
    process::{command, succeed},
};

/// A name and a password that have to be encoded.
const DATABASE: &str = "My \"odd\" Db%1";
const ODD_PASSWORD: &str = "p@ss:w/rd#?%&x=é\"' \\";

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Runs `status` there, with variables, and returns what it says when it fails.
fn status(database: &str, variables: &[(&str, &str)], folder: &Path) -> Result<(), String> {
    let mut command = command(&["--database", database, "status"], folder);
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains(ODD_PASSWORD) && !said.contains("p@ss"), "{said}");
    if output.status.success() { Ok(()) } else { Err(said) }
}

#[test]
fn every_way_of_libpq_to_name_a_server_leads_there() {
    let cluster = Cluster::start();
    let mut admin = cluster.admin("postgres");
    admin
        .batch_execute(&format!("CREATE ROLE odd LOGIN PASSWORD '{}'", ODD_PASSWORD.replace('\'', "''")))
        .unwrap();
    admin.batch_execute(&format!("CREATE DATABASE \"{}\" OWNER odd", DATABASE.replace('"', "\"\""))).unwrap();
    admin.batch_execute("CREATE DATABASE d OWNER odd").unwrap();
    let (folder, port) = (tempfile::tempdir().unwrap(), cluster.port().to_string());
    let socket = cluster.folder().to_str().unwrap().to_owned();
    let encoded_socket = encode(&socket);
    let password = encode(ODD_PASSWORD);
    let migrate = |url: &str| succeed(command(&["--database", url, "migrate"], folder.path()));
    migrate(&format!("postgres://odd:{password}@127.0.0.1:{port}/{}", encode(DATABASE)));
    migrate(&format!("host={socket} port={port} user=odd dbname=d"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "no file was made");

    let (services, passwords) = (folder.path().join("services"), folder.path().join("passwords"));
    fs::write(&services, format!("[sw]\nhost={socket}\nport={port}\nuser=odd\ndbname=d\n")).unwrap();
    let line = ODD_PASSWORD.replace('\\', "\\\\").replace(':', "\\:");
    fs::write(&passwords, format!("127.0.0.1:{port}:*:odd:{line}\n")).unwrap();
    fs::set_permissions(&passwords, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let (services, passwords) = (services.to_str().unwrap(), passwords.to_str().unwrap());
    let quoted = ODD_PASSWORD.replace('\\', "\\\\").replace('\'', "\\'");
    let pg = [("PGHOST", socket.as_str()), ("PGPORT", port.as_str()), ("PGUSER", "odd")];

    for (url, variables) in [
        (format!("postgres://odd@{encoded_socket}:{port}/d"), &[][..]),
        (format!("postgres:///d?host={socket}&port={port}&user=odd"), &[]),
        ("postgres:///d".to_owned(), &pg),
        ("postgresql:///d".to_owned(), &pg),
        ("dbname=d".to_owned(), &pg),
        (format!("postgres://odd:{password}@127.0.0.1:1,127.0.0.1:{port}/d"), &[]),
        ("postgres://?service=sw".to_owned(), &[("PGSERVICEFILE", services)]),
        ("service=sw".to_owned(), &[("PGSERVICEFILE", services)]),
        (format!("postgres://odd@127.0.0.1:{port}/d"), &[("PGPASSWORD", ODD_PASSWORD)]),
        (format!("postgres://odd@127.0.0.1:{port}/d"), &[("PGPASSFILE", passwords)]),
        (format!("postgres://odd@127.0.0.1:{port}/d?passfile={}", encode(passwords)), &[]),
        (format!(" postgres://odd:{password}@127.0.0.1:{port}/d \n"), &[]),
        (format!("host=127.0.0.1 port={port} dbname=d user=odd password='{quoted}'"), &[]),
        (format!("host = '127.0.0.1'\n port={port} dbname='{DATABASE}' user=odd password='{quoted}'"), &[]),
        (format!("host=127.0.0.1,127.0.0.1 port=1,{port} dbname=d user=odd password='{quoted}'"), &[]),
        (format!("postgres://odd:{password}@127.0.0.1:{port}/d?options=-c%20statement_timeout%3D1ms"), &[]),
        (format!("postgres://odd:{password}@127.0.0.1:{port}/d"), &[("PGOPTIONS", "-c search_path=nowhere")]),
    ] {
        assert_eq!(status(&url, variables, folder.path()), Ok(()), "{}", url.replace(&password, ".."));
    }
    for refused in [
        format!("hots=127.0.0.1 password='{quoted}'"),
        format!("jdbc:postgresql://127.0.0.1:{port}/d?user=odd&password={password}"),
        format!("pgsql:host=127.0.0.1;port={port};password={ODD_PASSWORD}"),
        format!("postgresql+psycopg://odd:{password}@127.0.0.1:{port}/d"),
        format!("postgres://odd:{password}@127.0.0.1:{port}/d?schema=public"),
        format!("host=127.0.0.1 port={port} dbname=d user=odd password=x{quoted}"),
    ] {
        assert!(status(&refused, &[], folder.path()).is_err());
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no file was made");
}
