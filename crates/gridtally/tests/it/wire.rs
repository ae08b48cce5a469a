//! HTTP/1.1 by hand, so that a test can also say what no client library would.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Host and port of a node's address.
pub fn host(url: &str) -> &str {
    url.trim_start_matches("http://")
}

/// A connection to a node that gives up after a while.
pub fn connect(url: &str) -> TcpStream {
    let stream = TcpStream::connect(host(url).replace("localhost", "127.0.0.1")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// An answer: its status, 0 when the node closed without one, and its body.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Writes bytes and reads until the node closes. A node that has refused the beginning need not read
/// the rest.
pub fn exchange(url: &str, bytes: &[u8]) -> Answer {
    let mut stream = connect(url);
    let _ = stream.write_all(bytes);
    read(&mut stream)
}

/// Reads what the node says until it closes.
pub fn read(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |at| at + 4);
    let status = std::str::from_utf8(&bytes[..head])
        .ok()
        .and_then(|head| head.split(' ').nth(1)?.parse().ok())
        .unwrap_or(0);
    Answer { status, body: bytes.split_off(head) }
}

/// One request with a body.
pub fn request(url: &str, (method, path): (&str, &str), kind: &str, body: &[u8]) -> Answer {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: {kind}\r\n\
         Content-Length: {}\r\n\r\n",
        host(url),
        body.len()
    );
    exchange(url, &[head.as_bytes(), body].concat())
}
