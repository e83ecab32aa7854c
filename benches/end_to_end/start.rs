//! From exec to the first POST: a relay before the simulator sees it come by.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

use crate::numbers::Spread;
use crate::ours::Desk;
use crate::simulator::{Simulator, Spoken};

/// Prints how long it takes from before exec until the first POST is on the wire, with a ready token.
pub(crate) fn measure(starts: u32) {
    println!("\nfrom exec to the first POST, with a ready token; median of {starts} starts (least to most)");
    for spoken in [Spoken::Http, Spoken::Https] {
        let (simulator, desk) = (Simulator::start(spoken), Desk::with(1));
        let (scheme, upstream) = simulator.url.split_once("://").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let (tell, seen) = channel();
        let (upstream, tls) = (upstream.to_owned(), spoken == Spoken::Https);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let _ = relay(client, &upstream, tls, &tell);
            }
        });
        let times = (0..=starts).map(|_| {
            let from = Instant::now();
            let status = desk.command(&url, simulator.ca.as_deref(), &[]).status().unwrap();
            assert!(status.success(), "the run ended with {status}");
            desk.clear();
            let at: Instant = seen.recv().unwrap();
            (at - from).as_secs_f64() * 1e3
        });
        println!("{:9} {:.1} ms", spoken.name(), Spread::of(times.skip(1).collect()));
    }
}

/// Carries one connection's bytes, and tells when its first request came by. In the clear those are the first bytes.
/// Over TLS a client speaks twice: its hello, and, once the server has answered, the handshake's end with the request
/// on its heels.
fn relay(mut client: TcpStream, upstream: &str, tls: bool, tell: &Sender<Instant>) -> io::Result<()> {
    let server = TcpStream::connect(upstream)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let answered = Arc::new(AtomicBool::new(!tls));
    let (mut from, mut to, seen) = (server.try_clone()?, client.try_clone()?, Arc::clone(&answered));
    std::thread::spawn(move || {
        let _ = carry(&mut from, &mut to, || seen.store(true, Ordering::SeqCst));
        let _ = to.shutdown(Shutdown::Both);
    });
    let mut told = false;
    carry(&mut client, &mut &server, || {
        if !told && answered.load(Ordering::SeqCst) {
            told = true;
            let _ = tell.send(Instant::now());
        }
    })?;
    server.shutdown(Shutdown::Both)
}

/// Copies until the end; `seen` is called for each part before it is handed on.
fn carry(from: &mut impl Read, to: &mut impl Write, mut seen: impl FnMut()) -> io::Result<()> {
    let mut part = [0; 1 << 14];
    loop {
        match from.read(&mut part)? {
            0 => return Ok(()),
            read => {
                seen();
                to.write_all(&part[..read])?;
            }
        }
    }
}
