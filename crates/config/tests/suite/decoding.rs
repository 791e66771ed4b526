//! Settings become the types of components, or errors that point into the text.

use bessemer_config::{Diagnostic, Settings, decode};
use bessemer_runtime::{ByteSize, Span};
use serde::Deserialize;
use std::time::Duration;

use crate::catalog::{
    Action, Attributes, Basic, Batch, Compression, Exporter, Process, Receiver, Stage, load,
    settings,
};

fn read<T: serde::de::DeserializeOwned>(text: &str, id: &str) -> T {
    decode(&settings(text, id)).unwrap_or_else(|found| panic!("{found:?}"))
}

#[test]
fn one_block_and_several_and_an_attribute_all_make_a_list() {
    let action = |key: &str| Action { key: key.into(), action: "insert".into(), value: None };
    let one = "otelcol.processor.attributes \"a\" {\n action {\n key = \"k\"\n action = \"insert\
     \"\n }\n}";
    let id = "otelcol.processor.attributes.a";
    assert_eq!(read::<Attributes>(one, id).action, [action("k")]);
    let two =
        one.replace(" action {", " action {\n key = \"j\"\n action = \"insert\"\n }\n action {");
    assert_eq!(read::<Attributes>(&two, id).action, [action("j"), action("k")]);
    let list =
        "otelcol.processor.attributes \"a\" {\n action = [{ key = \"k\", action = \"insert\" }]\n}";
    assert_eq!(read::<Attributes>(list, id).action, [action("k")]);
}

#[test]
fn units_secrets_references_enums_and_maps_are_read() {
    let text = r#"
otelcol.auth.basic "creds" {
  username = "me"
  password = sys.env("TOKEN")
}
otelcol.exporter.otlp "x" {
  timeout = "1m30s"
  client {
    endpoint    = "e:1"
    compression = "zstd"
    auth        = otelcol.auth.basic.creds.handler
    headers     = { "a-b" = 5, c = "d" }
  }
}
otelcol.receiver.otlp "in" { grpc { max_recv_msg_size = "10MB" } }
"#;
    let exporter: Exporter = read(text, "otelcol.exporter.otlp.x");
    assert_eq!(exporter.timeout, Some(Span(Duration::from_secs(90))));
    assert_eq!(exporter.client.compression, Some(Compression::Zstd));
    let auth = exporter.client.auth.unwrap();
    assert_eq!((auth.node.as_str(), auth.export.as_str()), ("otelcol.auth.basic.creds", "handler"));
    assert_eq!(exporter.client.headers.unwrap()["a-b"], "5");
    let basic: Basic = read(text, "otelcol.auth.basic.creds");
    assert_eq!(basic.password.expose(), "hunter2");
    let receiver: Receiver = read(text, "otelcol.receiver.otlp.in");
    assert_eq!(receiver.grpc.unwrap().max_recv_msg_size, Some(ByteSize(10_000_000)));
}

#[test]
fn numbers_and_text_are_converted_where_no_meaning_is_lost() {
    let batch: Batch = read(
        "otelcol.processor.batch \"b\" { send_batch_size = \"12\" }",
        "otelcol.processor.batch.b",
    );
    assert_eq!(batch.send_batch_size, 12);
    let batch: Batch = read(
        "otelcol.processor.batch \"b\" { send_batch_size = 24.0 / 2 }",
        "otelcol.processor.batch.b",
    );
    assert_eq!(batch.send_batch_size, 12);
    let batch: Batch =
        read("otelcol.processor.batch \"b\" { timeout = null }", "otelcol.processor.batch.b");
    assert_eq!(batch.timeout, None);
}

#[test]
fn ordered_variants_decode_in_their_order() {
    let text = "loki.process \"p\" {\n stage.drop { }\n stage.json { field = \"a\" }\n}";
    let process: Process = read(text, "loki.process.p");
    assert_eq!(process.stage, [Stage::Drop {}, Stage::Json { field: "a".into() }]);
}

/// Settings as a dialect reads them, unchecked, so that decoding is what finds the mistake.
fn unchecked(text: &str) -> Settings {
    let found = load(&format!("logging {{\n{text}\n}}")).unwrap();
    found.graph.option("logging").unwrap().clone()
}

fn refusal<T: serde::de::DeserializeOwned>(text: &str) -> String {
    let found: Vec<Diagnostic> = match decode::<T>(&unchecked(text)) {
        Ok(_) => panic!("this must not decode"),
        Err(found) => found,
    };
    found[0].to_string()
}

#[test]
fn errors_point_at_the_name_or_value_that_is_wrong() {
    let check = |text: &str, expected: &str| {
        assert_eq!(refusal::<Exporter>(text), format!("test.alloy:{expected}"), "{text}");
    };
    check(
        "client { endpiont = \"x\" }",
        "2:10: error BSM-0106: no setting \"endpiont\"; did you mean \"endpoint\"?",
    );
    check("client { endpoint = true }", "2:21: error BSM-0107: should be string, got bool");
    check("client { }", "2:1: error BSM-0108: needs \"endpoint\"");
    check(
        "timeout = \"soon\"",
        "2:11: error BSM-0107: \"soon\" is not a duration: write 5s or 1m30s",
    );
    check(
        "client { compression = \"gzp\" }",
        "2:24: error BSM-0107: can not be \"gzp\"; it is one of \"gzip\", \"zstd\", \"none\"; di\
         d you mean \"gzip\"?",
    );
    check(
        "client { endpoint = \"a\" }\nclient { endpoint = \"b\" }",
        "3:1: error BSM-0109: this block may be given only once",
    );
    check(
        "client { auth = \"x\" }",
        "2:17: error BSM-0107: should be a reference such as kind.label.handler, got string",
    );
    assert_eq!(
        refusal::<Batch>("send_batch_size = -1"),
        "test.alloy:2:19: error BSM-0107: should be u32, got integer `-1`"
    );
}

#[test]
fn flattened_types_and_tagged_enums_decode() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Outer {
        name: String,
        #[serde(flatten)]
        shared: Shared,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    struct Shared {
        timeout: Option<Span>,
        kind: Kind,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(tag = "type", rename_all = "snake_case")]
    enum Kind {
        Fixed { count: u8 },
    }
    let outer: Outer = decode(&unchecked(
        "name = \"n\"\ntimeout = \"2s\"\nkind {\n type = \"fixed\"\n count = 3\n}",
    ))
    .unwrap();
    assert_eq!(
        outer,
        Outer {
            name: "n".into(),
            shared: Shared {
                timeout: Some(Span(Duration::from_secs(2))),
                kind: Kind::Fixed { count: 3 }
            },
        }
    );
}
