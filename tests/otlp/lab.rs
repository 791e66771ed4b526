//! A running process with one OTLP receiver in front of what a test wants behind it.

use std::net::SocketAddr;

use bessemer_net::grpc::Status;
use bessemer_record::Signal;
use bytes::Bytes;

use crate::client::{Grpc, JSON, PROTOBUF, http_path, post};
use crate::load::Answer;
use crate::process::{Bessemer, free_address};

/// A process and where it listens.
pub struct Lab {
    pub bessemer: Bessemer,
    pub http: SocketAddr,
    pub grpc: SocketAddr,
}

/// What stands in the configuration beside the endpoints.
#[derive(Default)]
pub struct Setup<'a> {
    /// Lines of the block `http`.
    pub http: &'a str,
    /// Lines of the block `grpc`.
    pub grpc: &'a str,
    /// Lines of the receiver.
    pub receiver: &'a str,
    /// Where all three signals go.
    pub to: Vec<String>,
    /// All other blocks.
    pub blocks: String,
    pub arguments: &'a [&'a str],
}

/// A component that takes data: what refers to its input, and its block.
pub struct Part {
    pub input: String,
    pub block: String,
}

impl Setup<'_> {
    /// Everything to one component.
    pub fn to(part: Part) -> Self {
        Self::to_all([part])
    }

    /// Everything to each of these.
    pub fn to_all(parts: impl IntoIterator<Item = Part>) -> Self {
        let mut setup = Self::default();
        for part in parts {
            setup.to.push(part.input);
            setup.blocks.push_str(&part.block);
        }
        setup
    }

    /// Everything to nothing.
    pub fn to_nothing() -> Self {
        Self::to(Part {
            input: "bessemer.exporter.nop.none.input".to_owned(),
            block: "bessemer.exporter.nop \"none\" { }\n".to_owned(),
        })
    }

    pub fn start(self) -> Lab {
        let (http, grpc) = (free_address(), free_address());
        let mut bessemer = Bessemer::new(self.config(http, grpc)).with_arguments(self.arguments);
        bessemer.start();
        Lab { bessemer, http, grpc }
    }

    fn config(&self, http: SocketAddr, grpc: SocketAddr) -> String {
        let Self { http: in_http, grpc: in_grpc, receiver, to, blocks, .. } = self;
        let to = to.join(", ");
        format!(
            r#"
otelcol.receiver.otlp "in" {{
  http {{
    endpoint = "{http}"
    {in_http}
  }}
  grpc {{
    endpoint = "{grpc}"
    {in_grpc}
  }}
  {receiver}
  output {{
    logs    = [{to}]
    metrics = [{to}]
    traces  = [{to}]
  }}
}}
{blocks}
"#
        )
    }
}

/// An OTLP/HTTP exporter, one request at a time, uncompressed, with more lines in `client` and in
/// the block.
pub fn http_out(label: &str, url: &str, client: &str, rest: &str) -> Part {
    let queue = if rest.contains("sending_queue") {
        ""
    } else {
        "sending_queue {\n    enabled = false\n  }"
    };
    let compression = if client.contains("compression") { "" } else { "compression = \"none\"" };
    let block = format!(
        r#"
otelcol.exporter.otlphttp "{label}" {{
  client {{
    endpoint = "{url}"
    {compression}
    {client}
  }}
  {queue}
  {rest}
}}
"#
    );
    Part { input: format!("otelcol.exporter.otlphttp.{label}.input"), block }
}

/// The same over gRPC.
pub fn grpc_out(label: &str, url: &str, client: &str, rest: &str) -> Part {
    let Part { input, block } = http_out(label, url, client, rest);
    let rename = |text: String| text.replace("otelcol.exporter.otlphttp", "otelcol.exporter.otlp");
    Part { input: rename(input), block: rename(block) }
}

/// A header by which a fake tells exporters apart.
pub fn case_header(case: &str) -> String {
    format!("headers = {{ \"x-case\" = \"{case}\" }}")
}

impl Lab {
    /// One export request over HTTP in protobuf.
    pub fn post(&self, signal: Signal, body: &[u8]) -> Answer {
        post(self.http, http_path(signal), &[("content-type", PROTOBUF)], body)
    }

    /// One export request over HTTP in JSON.
    pub fn post_json(&self, signal: Signal, body: &serde_json::Value) -> Answer {
        let text = serde_json::to_vec(body).unwrap();
        post(self.http, http_path(signal), &[("content-type", JSON)], &text)
    }

    /// One export request over gRPC.
    pub fn call(&self, signal: Signal, message: &[u8]) -> Result<Bytes, Status> {
        Grpc::new(self.grpc).export(signal, message)
    }

    /// The value of a metric of one component, by the end of its id.
    pub fn metric(&self, name: &str, component: &str) -> f64 {
        self.bessemer.metric(name, &format!("{component}\""))
    }
}
