//! An HTTP/1.1 server of a few lines, for tests of what the simulator does not record: connections, raw headers, forms.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request that the server received: the number of its connection, the request line, the headers and the body.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedRequest {
    pub connection: usize,
    pub line: String,
    pub headers: Vec<String>,
    pub body: String,
}

impl ReceivedRequest {
    /// A header's value, or an empty text.
    pub(crate) fn header(&self, name: &str) -> &str {
        let is =
            |line: &&String| line.split(':').next().is_some_and(|given| given.eq_ignore_ascii_case(name));
        self.headers.iter().find(is).map_or("", |line| line[name.len() + 1..].trim())
    }
}

/// Answers each request with `answer(number)`. Requests are numbered from 0 over all connections.
pub(crate) fn serve(
    answer: impl Fn(usize) -> String + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<ReceivedRequest>>>) {
    serve_requests(move |number, _| answer(number))
}

/// The same, but `answer` also gets the request. A connection is closed after an answer with `connection: close`.
pub(crate) fn serve_requests(
    answer: impl Fn(usize, &ReceivedRequest) -> String + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<ReceivedRequest>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let root = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for (connection, stream) in listener.incoming().enumerate() {
            let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
            std::thread::spawn(move || handle_connection(connection, stream.unwrap(), &log, &*answer));
        }
    });
    (root, seen)
}

fn handle_connection(
    connection: usize,
    stream: TcpStream,
    log: &Mutex<Vec<ReceivedRequest>>,
    answer: &dyn Fn(usize, &ReceivedRequest) -> String,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut out = stream;
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line == "\r\n" {
                break;
            }
            lines.push(line.trim_end().to_owned());
        }
        let length =
            lines.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).unwrap();
        let line = lines.remove(0);
        let body = String::from_utf8(body).unwrap();
        let seen = ReceivedRequest { connection, line, headers: lines, body };
        let number = {
            let mut log = log.lock().unwrap();
            log.push(seen.clone());
            log.len() - 1
        };
        let answer = answer(number, &seen);
        // A client may close the connection in the middle of a long answer.
        if out.write_all(answer.as_bytes()).is_err() || answer.contains("connection: close") {
            return;
        }
    }
}

/// An empty response with the `request-id` that marks an answer of Graph's.
pub(crate) fn response(status: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nrequest-id: 0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f\r\ncontent-length: 0\r\n\r\n"
    )
}
