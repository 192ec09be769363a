//! Embedded migrations are built in again when one is added.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
