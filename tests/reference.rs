//! docs/reference/ says what this binary says of itself, byte for byte, and its examples are true.

use std::path::Path;
use std::process::Command;

use bessemer_config::Code;
use bessemer_config::diagnostic::Found;
use xtask::reference;

#[test]
fn the_reference_is_what_the_binary_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let binary = Path::new(env!("CARGO_BIN_EXE_bessemer"));
    let pages = reference::render(binary).expect("the binary describes itself");
    let differences = reference::differences(&root, &pages).expect("the pages are readable");
    assert!(differences.is_empty(), "run `cargo xtask docs`:\n{}", differences.join("\n"));
}

#[test]
fn every_code_has_its_number_and_its_page_once() {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(reference::FOLDER);
    for code in Code::ALL {
        let page = std::fs::read_to_string(root.join(reference::errors::path(code))).unwrap();
        assert!(page.contains(code.as_str()) && page.contains(code.explanation().title));
    }
}

#[test]
fn the_example_of_each_code_yields_that_code() {
    for code in Code::ALL {
        let told = code.explanation();
        let arguments: &[&str] = match told.found {
            Found::ByValidate => &["validate", "-o", "json", "example.alloy"],
            Found::ByConnecting => &["validate", "--connect", "-o", "json", "example.alloy"],
            Found::InShell => continue,
        };
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("example.alloy"), told.example).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_bessemer"))
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let is_it = format!("\"code\":\"{}\"", code.as_str());
        assert!(said.contains(&is_it), "{} is not found in its example:\n{said}", code.as_str());
        let is_error = said.contains("\"severity\":\"error\"");
        assert_eq!(output.status.code(), Some(i32::from(is_error)), "{}", code.as_str());
    }
}
