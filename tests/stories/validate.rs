//! `validate --connect` tells, before anything runs, which destination would not take records.

use std::process::Command;

use crate::process::free_address;
use crate::sink::{Mode, Sink};

/// Exit code, standard output, standard error.
fn validate(config: &str) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.alloy");
    std::fs::write(&path, config).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_bessemer"))
        .args(["validate", "--connect"])
        .arg(&path)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Scenario: a destination takes records, is busy, wants credentials; another is not there at all.
/// Promise: 0 while all take records or will, else 1 with what to look at; nothing is left there.
#[test]
fn validate_connects_to_each_destination_and_leaves_nothing_there() {
    let sink = Sink::start();
    let config = |second: &str| {
        format!(
            r#"
otelcol.receiver.otlp "in" {{
  http {{ }}
  output {{ logs = [otelcol.exporter.otlphttp.first.input, {second}] }}
}}
otelcol.exporter.otlphttp "first" {{
  client {{ endpoint = "http://{}" }}
}}
otelcol.exporter.otlp "second" {{
  client {{
    endpoint = "{}"
    tls {{ insecure = true }}
  }}
}}
"#,
            sink.address,
            free_address()
        )
    };
    let first_only = config("");
    let (code, out, _) = validate(&first_only);
    assert!(code == 0 && out.contains("ready: otelcol.exporter.otlphttp.first"), "{out}");
    assert!(sink.requests() == 1 && sink.seen().is_empty() && sink.corrupt() == 0);
    sink.set(Mode::Refuse(503));
    let (code, out, said) = validate(&first_only);
    assert!(code == 0 && !out.contains("ready: ") && said.contains("HTTP 503"), "{out}{said}");
    sink.set(Mode::Refuse(401));
    let (code, _, said) = validate(&first_only);
    assert!(code == 1 && said.contains("check headers and credentials"), "{said}");
    sink.set(Mode::Take);
    let (code, out, said) = validate(&config("otelcol.exporter.otlp.second.input"));
    assert!(code == 1 && !out.contains("valid"), "{out}");
    assert!(
        said.contains("otelcol.exporter.otlp.second does not take logs: no connection"),
        "{said}"
    );
    assert!(said.contains("check the port of the endpoint"), "{said}");
}

/// Scenario: a router names a receiver as its LLM, one port is to be opened twice, and a sorter
/// would let everyone in.
/// Promise: `validate` tells all of it, since `run` would not start.
#[test]
fn what_would_end_a_start_beside_the_flow_is_told_before() {
    let config = |endpoint: &str, provider: &str| {
        format!(
            r#"
otelcol.receiver.otlp "in" {{
  http {{ }}
  output {{ }}
}}
bessemer.llm.local "own" {{
  model = "m"
}}
bessemer.llm.router "main" {{
  http {{ endpoint = "127.0.0.1:8010" }}
  providers = [{provider}]
}}
bessemer.sorter "main" {{
  http {{ endpoint = "{endpoint}" }}
}}
"#
        )
    };
    let (own, other) = ("bessemer.llm.local.own", "otelcol.receiver.otlp.in");
    for (endpoint, provider, wanted) in [
        ("127.0.0.1:8000", own, None),
        ("127.0.0.1:8000", other, Some("otelcol.receiver.otlp.in, which is not an LLM")),
        ("127.0.0.1:8010", own, Some("listens on 127.0.0.1:8010, and so does")),
        (":8000", own, Some("can be reached from other machines without a key")),
    ] {
        let (code, out, said) = validate(&config(endpoint, provider));
        assert_eq!(code, i32::from(wanted.is_some()), "{out}{said}");
        assert!(said.contains(wanted.unwrap_or_default()), "{said}");
    }
}
