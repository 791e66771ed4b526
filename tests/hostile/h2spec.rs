//! The conformance suite of HTTP/2 against both ports of the binary.

