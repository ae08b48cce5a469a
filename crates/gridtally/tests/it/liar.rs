//! A node that lies: everything passes through to a real one, but for the proofs of receipts.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What becomes of a proof file: from its address and its text to another text.
pub type Lie = Box<dyn Fn(&str, &str) -> String + Send + Sync>;

/// A node between a client and the real one.
pub struct Liar {
    pub url: String,
    lie: Arc<Mutex<Arc<Lie>>>,
}

impl Liar {
    /// Begins honestly.
    pub fn before(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = format!("http://{}", listener.local_addr().unwrap());
        let honest: Lie = Box::new(|_, text| text.to_owned());
        let lie = Arc::new(Mutex::new(Arc::new(honest)));
        let (node, told) = (url.trim_start_matches("http://").to_owned(), Arc::clone(&lie));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let lie = Arc::clone(&told.lock().unwrap());
                let node = node.clone();
                std::thread::spawn(move || {
                    // A client that went away is none of ours.
                    let _ = pass(client, &node, &lie);
                });
            }
        });
        Self { url: own, lie }
    }

    /// Lies from now on.
    pub fn tell(&self, lie: Lie) {
        *self.lie.lock().unwrap() = Arc::new(lie);
    }
}

/// Reads head and body of a message; the body as long as the head says, or to the end.
fn message(stream: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16_384];
    loop {
        let found = bytes.windows(4).position(|it| it == b"\r\n\r\n");
        if let Some(end) = found {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
            });
            let wanted = match length {
                Some(Ok(length)) => end + 4 + length,
                _ => end + 4,
            };
            if bytes.len() >= wanted {
                return Ok((head, bytes[end + 4..wanted].to_vec()));
            }
        }
        match stream.read(&mut chunk)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}

/// The head without the lines that belong to the connection.
fn cleaned(head: &str) -> String {
    let of_connection = ["connection:", "content-length:", "transfer-encoding:"];
    let keep = |line: &&str| {
        let line = line.to_ascii_lowercase();
        !of_connection.iter().any(|name| line.starts_with(name))
    };
    head.lines().filter(keep).map(|line| format!("{line}\r\n")).collect()
}

fn pass(mut client: TcpStream, node: &str, lie: &Lie) -> std::io::Result<()> {
    let (head, body) = message(&mut client)?;
    let mut server = TcpStream::connect(node)?;
    let length = body.len();
    write!(server, "{}content-length: {length}\r\nconnection: close\r\n\r\n", cleaned(&head))?;
    server.write_all(&body)?;
    let (answer, mut body) = message(&mut server)?;
    let address = head.split(' ').nth(1).unwrap_or_default();
    let path = address.split('?').next().unwrap_or_default();
    if path.ends_with("/proof") && answer.contains(" 200 ") {
        body = lie(path, &String::from_utf8_lossy(&body)).into_bytes();
    }
    let length = body.len();
    write!(client, "{}content-length: {length}\r\nconnection: close\r\n\r\n", cleaned(&answer))?;
    client.write_all(&body)
}
