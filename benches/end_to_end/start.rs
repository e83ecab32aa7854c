//! The time from exec to the first POST, which a relay in front of the simulator observes.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

use crate::numbers::Spread;
use crate::ours::BenchFolder;
use crate::simulator::{Protocol, Simulator};

/// Prints the time from before exec until the first POST is on the wire, with a ready token.
pub(crate) fn measure(starts: u32) {
    println!("\nfrom exec to the first POST, with a ready token; median of {starts} starts (min to max)");
    for spoken in [Protocol::Http, Protocol::Https] {
        let (simulator, desk) = (Simulator::start(spoken), BenchFolder::with_users(1));
        let (scheme, upstream) = simulator.url.split_once("://").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let (tell, seen) = channel();
        let (upstream, tls) = (upstream.to_owned(), spoken == Protocol::Https);
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
        println!("{:9} {:.1} ms", spoken.name(), Spread::from_values(times.skip(1).collect()));
    }
}

/// Relays one connection and reports when its first request passed. Without TLS that is the first data. With TLS the
/// client sends twice: its hello, and once the server has answered, the end of the handshake, directly followed by the
/// request.
fn relay(mut client: TcpStream, upstream: &str, tls: bool, tell: &Sender<Instant>) -> io::Result<()> {
    let server = TcpStream::connect(upstream)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let answered = Arc::new(AtomicBool::new(!tls));
    let (mut from, mut to, seen) = (server.try_clone()?, client.try_clone()?, Arc::clone(&answered));
    std::thread::spawn(move || {
        let _ = copy_until_end(&mut from, &mut to, || seen.store(true, Ordering::SeqCst));
        let _ = to.shutdown(Shutdown::Both);
    });
    let mut is_reported = false;
    copy_until_end(&mut client, &mut &server, || {
        if !is_reported && answered.load(Ordering::SeqCst) {
            is_reported = true;
            let _ = tell.send(Instant::now());
        }
    })?;
    server.shutdown(Shutdown::Both)
}

/// Copies until the end. Calls `seen` for each part before it is passed on.
fn copy_until_end(from: &mut impl Read, to: &mut impl Write, mut seen: impl FnMut()) -> io::Result<()> {
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
