//! Measures Bessemer beside its peers: load generator, counting sink, null proxy, one table.
//!
//! The tools share the machine with what they measure. They prepare every byte before the clock
//! starts, use blocking sockets where HTTP/1.1 allows it, and decode nothing on the way.

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod count;
mod figures;
mod grpc;
mod http1;
mod load;
mod null_proxy;
mod payload;
mod run;
mod sink;
mod wire;

#[derive(Parser)]
#[command(name = "bessemer-bench", about = "Measures Bessemer beside its peers", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sends prebuilt OTLP log requests as fast as they are acknowledged
    Load(load::Options),
    /// Takes OTLP over HTTP and gRPC, answers, counts
    Sink(sink::Options),
    /// Moves bytes between two sockets and nothing else
    NullProxy(null_proxy::Options),
    /// Runs the cases against each system and prints the table
    Run(run::Options),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Load(options) => load::main(&options),
        Command::Sink(options) => sink::main(&options),
        Command::NullProxy(options) => null_proxy::main(&options),
        Command::Run(options) => run::main(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&mut std::io::stderr().lock(), &format!("bessemer-bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints a line; a reader that went away is no reason to stop a measurement.
fn say(stream: &mut dyn Write, line: &str) {
    drop(writeln!(stream, "{line}"));
}
