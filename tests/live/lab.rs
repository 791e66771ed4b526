//! A running process that sends everything on, over gRPC in merged batches and over HTTP as it
//! came.

use std::net::SocketAddr;

use crate::WITHIN;
use crate::fake::Fake;
use crate::process::{Bessemer, free_address, wait_until};
use crate::records::{Records, Signal};

/// A process, where it listens and where it sends.
pub struct Lab {
    bessemer: Bessemer,
    pub http: SocketAddr,
    pub grpc: SocketAddr,
    destinations: Vec<(&'static str, Fake)>,
}

impl Lab {
    /// With two fakes as its destinations.
    pub fn start() -> Self {
        let (grpc, http) = (Fake::start(), Fake::start());
        let blocks = format!(
            r#"
otelcol.processor.batch "merge" {{
  timeout         = "100ms"
  send_batch_size = 2000
  output {{
    logs    = [otelcol.exporter.otlp.out.input]
    metrics = [otelcol.exporter.otlp.out.input]
    traces  = [otelcol.exporter.otlp.out.input]
  }}
}}
otelcol.exporter.otlp "out" {{
  client {{ endpoint = "{}" }}
}}
otelcol.exporter.otlphttp "out" {{
  client {{ endpoint = "{}" }}
}}
"#,
            grpc.url(),
            http.url()
        );
        let to = "otelcol.processor.batch.merge.input, otelcol.exporter.otlphttp.out.input";
        Self::start_with(to, &blocks, vec![("gRPC", grpc), ("HTTP", http)])
    }

    /// With `blocks` behind the receiver, which in the end reach `destinations`.
    pub fn start_with(to: &str, blocks: &str, destinations: Vec<(&'static str, Fake)>) -> Self {
        let (http, grpc) = (free_address(), free_address());
        let config = format!(
            r#"
otelcol.receiver.otlp "in" {{
  http {{ endpoint = "{http}" }}
  grpc {{ endpoint = "{grpc}" }}
  output {{
    logs    = [{to}]
    metrics = [{to}]
    traces  = [{to}]
  }}
}}
{blocks}
"#
        );
        let mut bessemer = Bessemer::new(config);
        bessemer.start();
        Self { bessemer, http, grpc, destinations }
    }

    /// Where it takes no data.
    pub fn admin(&self) -> SocketAddr {
        self.bessemer.admin
    }

    /// The destination that was given first.
    pub fn first(&self) -> &Fake {
        &self.destinations[0].1
    }

    /// What the process wrote so far.
    pub fn log(&self) -> String {
        self.bessemer.log()
    }

    /// Waits until everything came that was sent, ends the process, then `end`s what stands behind
    /// it. Nothing is missing, changed, invented or doubled.
    pub fn finish(mut self, sent: &Records, at_least: &[(Signal, usize)], end: impl FnOnce()) {
        for (signal, count) in at_least {
            let of = sent.count_of(*signal);
            assert!(of >= *count, "only {of} {} were sent", signal.as_str());
        }
        wait_until(WITHIN, "delivered", || {
            self.destinations.iter().all(|(_, fake)| fake.count() >= sent.count())
        });
        assert_eq!(self.bessemer.stop(), 0);
        end();
        for (way, fake) in &self.destinations {
            sent.assert_equal(&fake.take(), way);
        }
    }
}
