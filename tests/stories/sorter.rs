//! The sorter, as other programs reach it.

use crate::load::Http;
use crate::process::{Bessemer, free_address, get};

/// Scenario: a program without any telemetry of its own asks for classes, with and without a key.
/// Promise: it gets the label that a record of a pipeline would have, in the form it asked in.
#[test]
fn other_programs_are_told_the_class_of_their_records() {
    let address = free_address();
    let config = format!(
        r#"
bessemer.sorter "main" {{
  http {{ endpoint = "{address}" }}
  api_keys = ["letmein"]
}}
"#
    );
    let mut bessemer = Bessemer::new(config);
    bessemer.start();
    assert_eq!(get(address, "/health").unwrap().0, 200);
    let mut client = Http::connect(address).unwrap();
    let many = br#"[{"message":"a Breach"},{"message":"slow","level":"ERROR"},{"message":"ok"}]"#;
    assert_eq!(client.post("/classify", "", many).unwrap().status, 401);
    let mut client = Http::connect(address).unwrap();
    let key = "authorization: Bearer letmein\r\n";
    let answer = client.post("/classify", key, many).unwrap();
    let labels: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let classes: Vec<_> = labels.as_array().unwrap().iter().map(|l| &l["classification"]).collect();
    assert_eq!(classes, ["critical", "warning", "info"], "{labels}");
    let answer = client.post("/classify", key, br#"{"message": "a breach"}"#).unwrap();
    let label: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status, &label), (200, &labels[0]));
    assert_eq!(client.post("/classify", key, b"{").unwrap().status, 400);
    assert_eq!(bessemer.stop(), 0);
}
