//! One way to listen and one way to dial: TLS, HTTP/1.1, HTTP/2, gRPC framing, bounded bodies.
//!
//! Only this crate opens listeners, dials HTTP and gRPC, reads bodies, inflates and builds TLS
//! settings. It knows no telemetry: a body is bytes, a gRPC message is bytes.

pub mod body;
pub mod dial;
pub mod grpc;
pub mod listen;
pub mod retry;
pub mod tls;
