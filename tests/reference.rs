//! docs/reference/ says what this binary says of itself, byte for byte.

use std::path::Path;

use xtask::reference;

#[test]
fn the_reference_is_what_the_binary_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let binary = Path::new(env!("CARGO_BIN_EXE_bessemer"));
    let pages = reference::render(binary).expect("the binary describes itself");
    let differences = reference::differences(&root, &pages).expect("the pages are readable");
    assert!(differences.is_empty(), "run `cargo xtask docs`:\n{}", differences.join("\n"));
}
