//! The only place that writes to standard output and error.

use std::io::{self, IsTerminal, Write};

/// Prints text as it is. A reader that went away is no error of ours.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Prints an error line.
pub(crate) fn error(text: &str) {
    // When even standard error is gone there is nobody left to tell.
    drop(writeln!(io::stderr().lock(), "error: {text}"));
}

/// Prints findings as they are rendered.
pub(crate) fn findings(text: &str) {
    drop(writeln!(io::stderr().lock(), "{}", text.trim_end()));
}

/// Whether a person reads standard output.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether a person reads standard error.
pub(crate) fn errors_are_read() -> bool {
    io::stderr().is_terminal()
}
