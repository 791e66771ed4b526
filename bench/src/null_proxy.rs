//! The floor under every figure: two socket hops of the same bytes, nothing else.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

use anyhow::Context;
use clap::Args;

const BUFFER_BYTES: usize = 256 << 10;

#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Pairs of an address to listen on and one to pass on to: 127.0.0.1:1=127.0.0.1:2
    #[arg(required = true, value_parser = pair)]
    routes: Vec<(SocketAddr, SocketAddr)>,
}

fn pair(text: &str) -> Result<(SocketAddr, SocketAddr), String> {
    let (from, to) = text.split_once('=').ok_or("expected LISTEN=TO")?;
    let address = |text: &str| text.parse().map_err(|_| format!("{text} is not an address"));
    Ok((address(from)?, address(to)?))
}

/// Moves bytes both ways until the process is ended.
pub(crate) fn main(options: &Options) -> anyhow::Result<()> {
    let mut threads = Vec::new();
    for &(from, to) in &options.routes {
        let listener = TcpListener::bind(from).with_context(|| format!("listen on {from}"))?;
        threads.push(std::thread::spawn(move || accept(&listener, to)));
    }
    for thread in threads {
        drop(thread.join());
    }
    Ok(())
}

fn accept(listener: &TcpListener, to: SocketAddr) {
    for client in listener.incoming().flatten() {
        // A connection that cannot be passed on is closed, which is all its client needs to know.
        drop(pass(&client, to));
    }
}

fn pass(client: &TcpStream, to: SocketAddr) -> std::io::Result<()> {
    let server = TcpStream::connect(to)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    for (from, to) in
        [(client.try_clone()?, server.try_clone()?), (server.try_clone()?, client.try_clone()?)]
    {
        std::thread::spawn(move || {
            drop(pump(&from, &to));
            drop((from.shutdown(Shutdown::Read), to.shutdown(Shutdown::Write)));
        });
    }
    Ok(())
}

fn pump(mut from: &TcpStream, mut to: &TcpStream) -> std::io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            read => to.write_all(buffer.get(..read).unwrap_or_default())?,
        }
    }
}
