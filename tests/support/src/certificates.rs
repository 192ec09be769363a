//! Certificates that openssl makes.

use std::{fs, path::Path};

use crate::openssl::openssl;

/// Makes an authority with a new key of the `kind` that openssl names so: `NAME.key` and `NAME.pem` in `folder`, issued
/// by the authority `issuer` or by itself.
pub fn authority(folder: &Path, name: &str, kind: &str, issuer: Option<&str>) {
    let issuer = issuer.map_or(String::new(), |issuer| format!("-CA {issuer}.pem -CAkey {issuer}.key"));
    let files = format!("-keyout {name}.key -out {name}.pem");
    openssl(folder, &format!("req -x509 -newkey {kind} -nodes -days 30 -subj /CN={name} {issuer} {files}"));
}

/// Lets the authority `issuer` certify the public key in the file `public_key` (PEM) for some days, in `NAME.pem`.
pub fn certify(folder: &Path, public_key: &str, name: &str, issuer: &str, days: i32) {
    let authority = format!("-CA {issuer}.pem -CAkey {issuer}.key");
    let subject = format!("-new -force_pubkey {public_key} -subj /CN={name}");
    openssl(folder, &format!("x509 {subject} {authority} -days {days} -out {name}.pem"));
}

/// Writes the certificates with these names one after the other to `file`, and returns the text.
pub fn chain(folder: &Path, file: &str, names: &[&str]) -> String {
    let read = |name: &&str| fs::read_to_string(folder.join(format!("{name}.pem"))).unwrap();
    let text: String = names.iter().map(read).collect();
    fs::write(folder.join(file), &text).unwrap();
    text
}

/// Makes `server.pem` with its key `server.key`, for `localhost`, by the new authority `authority.pem`.
pub fn for_localhost(folder: &Path) {
    fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    for arguments in [
        "req -x509 -newkey rsa:2048 -nodes -keyout authority.key -out authority.pem -days 2 -subj /CN=authority",
        "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost",
        "x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile names \
         -out server.pem",
    ] {
        openssl(folder, arguments);
    }
}
