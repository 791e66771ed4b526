//! What is measured: the cases, who takes part in each, with which configuration and which ack.
//!
//! Addresses are those in the configurations of `bench/bessemer` and `bench/peers`.

use clap::ValueEnum;

use crate::load::Protocol;

pub(crate) const IN_HTTP: &str = "127.0.0.1:14318";
pub(crate) const IN_GRPC: &str = "127.0.0.1:14317";
pub(crate) const ADMIN: &str = "127.0.0.1:14399";
pub(crate) const SINK_HTTP: [&str; 3] = ["127.0.0.1:19001", "127.0.0.1:19002", "127.0.0.1:19003"];
pub(crate) const SINK_GRPC: &str = "127.0.0.1:19011";
/// The third dead destination, port 19021, has no listener.
pub(crate) const DEAD_REFUSING: &str = "127.0.0.1:19022";
pub(crate) const DEAD_SILENT: &str = "127.0.0.1:19023";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum System {
    Bessemer,
    Otelcol,
    Null,
}

impl System {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Bessemer => "bessemer",
            Self::Otelcol => "otelcol",
            Self::Null => "null",
        }
    }
}

impl std::fmt::Display for System {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A system in a case.
pub(crate) struct Entrant {
    pub(crate) system: System,
    /// File under `bench/bessemer` or `bench/peers/otelcol`; unused for the null proxy.
    pub(crate) config: &'static str,
    /// What an answer to the client means.
    pub(crate) ack: &'static str,
}

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) gzip: bool,
    /// Whether what is acknowledged reaches the counting sink.
    pub(crate) delivers: bool,
    pub(crate) entrants: &'static [Entrant],
}

const fn bessemer(config: &'static str, ack: &'static str) -> Entrant {
    Entrant { system: System::Bessemer, config, ack }
}

const fn otelcol(config: &'static str, ack: &'static str) -> Entrant {
    Entrant { system: System::Otelcol, config, ack }
}

const NULL: Entrant = Entrant { system: System::Null, config: "", ack: "delivered" };

const fn http(name: &'static str, entrants: &'static [Entrant]) -> Case {
    Case { name, protocol: Protocol::Http, gzip: false, delivers: true, entrants }
}

const fn grpc(name: &'static str, entrants: &'static [Entrant]) -> Case {
    Case { name, protocol: Protocol::Grpc, gzip: false, delivers: true, entrants }
}

pub(crate) const CASES: &[Case] = &[
    http(
        "a",
        &[bessemer("http_memory.alloy", "memory"), otelcol("http_memory.yaml", "memory"), NULL],
    ),
    http(
        "a-sync",
        &[bessemer("http_delivered.alloy", "delivered"), otelcol("http_sync.yaml", "delivered")],
    ),
    Case {
        gzip: true,
        ..http(
            "a-gzip",
            &[bessemer("http_gzip.alloy", "memory"), otelcol("http_gzip.yaml", "memory")],
        )
    },
    grpc(
        "b",
        &[
            bessemer("grpc_delivered.alloy", "delivered"),
            otelcol("grpc_sync.yaml", "delivered"),
            NULL,
        ],
    ),
    grpc(
        "b-memory",
        &[bessemer("grpc_memory.alloy", "memory"), otelcol("grpc_memory.yaml", "memory")],
    ),
    http(
        "c",
        &[bessemer("route_delivered.alloy", "delivered"), otelcol("route_sync.yaml", "delivered")],
    ),
    http(
        "c-memory",
        &[bessemer("route_memory.alloy", "memory"), otelcol("route_memory.yaml", "memory")],
    ),
    http("d", &[bessemer("route_disk.alloy", "disk"), otelcol("route_disk.yaml", "disk")]),
    Case {
        delivers: false,
        ..http("e-http", &[bessemer("drop.alloy", "none"), otelcol("drop.yaml", "none")])
    },
    Case {
        delivers: false,
        ..grpc("e-grpc", &[bessemer("drop.alloy", "none"), otelcol("drop.yaml", "none")])
    },
    Case {
        delivers: false,
        ..http("f", &[bessemer("dead.alloy", "disk"), otelcol("dead.yaml", "disk")])
    },
    http("g", &[bessemer("transform.alloy", "delivered"), otelcol("transform.yaml", "delivered")]),
    // What is dropped on purpose never arrives, so arrivals say nothing of loss.
    Case {
        delivers: false,
        ..http("h", &[bessemer("filter.alloy", "delivered"), otelcol("filter.yaml", "delivered")])
    },
    http(
        "i",
        &[bessemer("attributes.alloy", "delivered"), otelcol("attributes.yaml", "delivered")],
    ),
    http("j", &[bessemer("redaction.alloy", "delivered"), otelcol("redaction.yaml", "delivered")]),
    http("k", &[bessemer("judge_delivered.alloy", "delivered")]),
];
