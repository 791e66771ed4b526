//! OTLP JSON, read by the reference implementation of protobuf: exact to the last bit of a double.

use std::io::{Read as _, Seek as _, Write as _};
use std::process::{Command, Stdio};

use crate::client::program;
use crate::counterparty::python;
use crate::records::Signal;

/// The requests in protobuf.
pub fn to_protobuf(requests: &[(Signal, Vec<u8>)]) -> Vec<Vec<u8>> {
    if requests.is_empty() {
        return Vec::new();
    }
    let mut lines = tempfile::tempfile().unwrap();
    for (signal, text) in requests {
        assert!(!text.contains(&b'\n'), "a request is one line");
        lines.write_all(&[signal.as_str().as_bytes(), b"\t", text, b"\n"].concat()).unwrap();
    }
    lines.rewind().unwrap();
    let mut command = Command::new(python());
    command.arg(program("read_json.py")).stdin(lines).stderr(Stdio::inherit());
    let output = command.output().unwrap();
    assert!(output.status.success(), "read_json.py: {}", output.status);
    let mut rest = output.stdout.as_slice();
    let messages = requests.iter().map(|_| {
        let mut length = [0; 4];
        rest.read_exact(&mut length).unwrap();
        let mut message = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        rest.read_exact(&mut message).unwrap();
        message
    });
    messages.collect()
}
