//! The master keys of a process, while they are changed under it.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use data_encoding::BASE64;
use signwave::{
    domain::Fingerprint,
    signer::{MasterKey, MasterKeySource, MasterKeys, PrivateKey, SignerError, import, seal},
};
use tempfile::TempDir;

fn key() -> PrivateKey {
    import(include_bytes!("../fixtures/signer/rsa2048.pem"), None).unwrap()
}

/// A folder with the file of the current master key, and perhaps of the next one.
struct Place(TempDir);

impl Place {
    fn new(current: &MasterKey) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("current", current);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Replaces a file at once, as an operator should.
    fn write(&self, name: &str, master: &MasterKey) {
        let draft = self.path("draft");
        fs::write(&draft, master.to_base64().as_bytes()).unwrap();
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(draft, self.path(name)).unwrap();
    }

    fn masters(&self) -> MasterKeys {
        let [current, next] = ["current", "next"].map(|name| Some(MasterKeySource::File(self.path(name))));
        MasterKeys::new(current, next)
    }
}

fn name() -> Fingerprint {
    key().public_key().fingerprint()
}

fn opens(masters: &MasterKeys, under: &MasterKey) -> Result<(), SignerError> {
    masters.unseal(&name(), &seal(under, &key()).unwrap()).map(drop)
}

/// The bytes of the id of the master key that new keys are sealed under.
fn sealing(masters: &MasterKeys) -> Vec<u8> {
    masters.seal(&key()).unwrap()[1..9].to_vec()
}

#[test]
fn a_key_that_is_sealed_under_the_next_master_key_makes_it_be_read() {
    let (old, new) = (MasterKey::generate(), MasterKey::generate());
    let place = Place::new(&old);
    let masters = place.masters();
    opens(&masters, &old).unwrap();
    let given = vec![old.id()];
    let wrong = SignerError::WrongMasterKey { fingerprint: name(), sealed_under: new.id(), given };
    assert_eq!(opens(&masters, &new), Err(wrong));
    place.write("next", &new);
    opens(&masters, &new).unwrap();
    opens(&masters, &old).unwrap();
    // It takes the place of the current one.
    fs::rename(place.path("next"), place.path("current")).unwrap();
    for masters in [masters, place.masters()] {
        opens(&masters, &new).unwrap();
        assert_eq!(sealing(&masters), new.id().0);
    }
}

#[test]
fn a_current_master_key_that_is_replaced_in_its_file_is_read_again_and_the_old_one_is_kept() {
    let place = Place::new(&MasterKey::generate());
    let masters = place.masters();
    let mut earlier = Vec::new();
    for _ in 0..3 {
        let new = MasterKey::generate();
        place.write("current", &new);
        opens(&masters, &new).unwrap();
        earlier.push(new);
    }
    // A key that was loaded before the change is opened after it.
    assert!(earlier.iter().all(|master| opens(&masters, master).is_ok()));
}

#[test]
fn new_keys_are_sealed_under_the_next_master_key_as_soon_as_there_is_one() {
    let (old, new) = (MasterKey::generate(), MasterKey::generate());
    let place = Place::new(&old);
    let masters = place.masters();
    assert_eq!(sealing(&masters), old.id().0);
    place.write("next", &new);
    assert_eq!(sealing(&masters), new.id().0);
    fs::remove_file(place.path("next")).unwrap();
    assert_eq!(sealing(&masters), old.id().0);
    // Without its file, the process goes on with what it has read.
    fs::remove_file(place.path("current")).unwrap();
    assert_eq!(sealing(&masters), old.id().0);
    opens(&masters, &old).unwrap();
    let unread = place.masters().seal(&key()).unwrap_err();
    assert!(matches!(unread, SignerError::MasterKeyFile { action: "read", .. }), "{unread}");
    assert_eq!(MasterKeys::default().seal(&key()), Err(SignerError::NoMasterKey(name())));
}

#[test]
fn a_source_that_cannot_be_read_is_named_where_the_known_master_keys_do_not_do() {
    let (old, new) = (MasterKey::generate(), MasterKey::generate());
    let place = Place::new(&old);
    let masters = place.masters();
    opens(&masters, &old).unwrap();
    place.write("next", &new);
    fs::set_permissions(place.path("next"), fs::Permissions::from_mode(0o644)).unwrap();
    let error = opens(&masters, &new).unwrap_err();
    assert!(matches!(error, SignerError::MasterKeyExposed { mode: 0o644, .. }), "{error}");
    opens(&masters, &old).unwrap();
    fs::set_permissions(place.path("next"), fs::Permissions::from_mode(0o600)).unwrap();
    opens(&masters, &new).unwrap();
}

#[test]
fn a_command_is_not_run_for_each_key_that_does_not_open() {
    let folder = tempfile::tempdir().unwrap();
    let (runs, text) = (folder.path().join("runs"), BASE64.encode(&[7; 32]));
    let script = format!("sh -c 'echo run >> {}; echo {text}'", runs.display());
    let masters = MasterKeys::new(Some(MasterKeySource::Command(script.parse().unwrap())), None);
    opens(&masters, &MasterKey::from_base64(&text).unwrap()).unwrap();
    let (name, strange) = (name(), seal(&MasterKey::generate(), &key()).unwrap());
    let begun = std::time::Instant::now();
    for _ in 0..200 {
        let refused = masters.unseal(&name, &strange).unwrap_err();
        assert!(matches!(refused, SignerError::WrongMasterKey { .. }), "{refused}");
    }
    let runs = fs::read_to_string(runs).unwrap().lines().count();
    assert!(runs as u64 <= 2 + begun.elapsed().as_secs(), "{runs} runs");
}

#[test]
fn a_pipe_is_read_once() {
    let (old, stranger) = (MasterKey::generate(), MasterKey::generate());
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let masters = MasterKeys::new(Some(MasterKeySource::File(pipe.clone())), None);
    std::thread::scope(|scope| {
        scope.spawn(|| fs::write(&pipe, old.to_base64().as_bytes()).unwrap());
        opens(&masters, &old).unwrap();
    });
    // Opening the pipe again would wait for a writer that never comes.
    assert!(matches!(opens(&masters, &stranger), Err(SignerError::WrongMasterKey { .. })));
}

#[test]
fn a_key_is_resealed_once() {
    let (old, new) = (MasterKey::generate(), MasterKey::generate());
    let masters = MasterKeys::given(MasterKey::from_base64(&old.to_base64()).unwrap(), None);
    let sealed = seal(&old, &key()).unwrap();
    let resealed = masters.reseal(&new, &name(), &sealed).unwrap().expect("it was under the old one");
    assert_eq!(masters.reseal(&new, &name(), &resealed), Ok(None));
    // A key that looks done, but does not open, is not taken for done.
    for sealed in [&sealed, &resealed] {
        let mut damaged = sealed.clone();
        damaged.last_mut().map(|byte| *byte ^= 1).unwrap();
        assert_eq!(masters.reseal(&new, &name(), &damaged), Err(SignerError::Damaged(name())));
    }
    let opened = MasterKeys::given(new, None).unseal(&name(), &resealed).unwrap();
    assert_eq!(opened.public_key(), key().public_key());
}
