//! gRPC over HTTP/2 without a codec: messages are bytes, in and out.
//!
//! A unary call is one framed message each way (a flag byte, a big-endian length, the message) and
//! a status in trailers, or in the headers alone when there is no message ("trailers-only").
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

pub mod code;
pub mod frame;
mod server;
pub mod status;

pub use code::Code;
pub use frame::{FrameError, Header};
pub use server::{is_grpc, read_unary, reply_body_error, reply_ok, reply_status, timeout};
pub use status::Status;
