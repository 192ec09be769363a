//! Embedded migrations, and the files of the dashboard, are built in again when one is added.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=dashboard");
}
