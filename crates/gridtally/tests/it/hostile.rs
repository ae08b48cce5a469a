//! Thousands of hostile requests against a running node: none makes it panic, answer 5xx (but for 503,
//! which is documented), take what nobody signed, or keep memory; afterwards it still commits.
//!
//! 1,000 requests are made, 10,000 with `GRIDTALLY_LONG`.

use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};

use client::connection::{Connection, SUBMISSIONS_TYPE};
use client::key_file::KeyFile;
use contracts::billing::PayBill;
use primitives::codec::{Bounded, encode};
use primitives::envelope::Submission;
use primitives::identifier::UsagePointId;
use primitives::key::SigningKey;
use primitives::units::{MicroCurrency, Timestamp};

use crate::process::{NodeProcess, expect, gridtally, json};
use crate::wire::{self, Answer};

/// Connections that are worked at the same time.
const THREADS: u64 = 4;
/// Connections that write one byte at a time, all the while.
const SLOW: usize = 40;

fn requests() -> u64 {
    if std::env::var_os("GRIDTALLY_LONG").is_some() { 10_000 } else { 1_000 }
}

/// A small generator, the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| self.below(256).to_le_bytes()[0]).collect()
    }

    fn one_of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

const PATHS: &[&str] = &[
    "/",
    "/api",
    "/healthz",
    "/metrics",
    "/v1/accounts/{id}",
    "/v1/bill",
    "/v1/bills/{id}",
    "/v1/bills/{id}/proof",
    "/v1/blocks",
    "/v1/blocks/{id}",
    "/v1/events",
    "/v1/frequency",
    "/v1/genesis",
    "/v1/keys/{id}",
    "/v1/openapi.json",
    "/v1/parties",
    "/v1/search/bills",
    "/v1/search/payments",
    "/v1/search/transactions",
    "/v1/session",
    "/v1/session/nonce",
    "/v1/stations",
    "/v1/status",
    "/v1/tariffs/{id}",
    "/v1/transactions",
    "/v1/transactions/{id}",
    "/v1/unit",
    "/v1/usage-points",
    "/v1/usage-points/{id}",
    "/v1/usage-points/{id}/bills",
    "/v1/usage-points/{id}/charges",
    "/v1/usage-points/{id}/readings",
    "/v1/usage-points/{id}/registers",
];
const METHODS: &[&str] =
    &["GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "BREW"];
const PARAMETERS: &[&str] = &[
    "after",
    "before",
    "limit",
    "day",
    "period",
    "since",
    "topics",
    "usage_point",
    "party",
    "bill",
    "kind",
    "code",
    "state",
    "amount_min",
    "amount_max",
    "from_day",
    "to_day",
    "meter",
    "profile",
    "x",
];
const VALUES: &[&str] = &[
    "",
    "0",
    "-1",
    "1",
    "1000",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "340282366920938463463374607431768211456",
    "2026-07-01",
    "-262143-01-01",
    "262142-12-31",
    "9999-12-31",
    "0000-00-00",
    "ffffffffffffffffffffffffffffffff",
    "%00",
    "%ff%fe",
    "%",
    "%e2%80%ae",
    "..%2f..%2fetc%2fpasswd",
    "'%20OR%201=1--",
    "%22;DROP%20TABLE%20bills;--",
    "*%22%29%20OR%20MATCH",
    "NaN",
    "1e309",
];
const KINDS: &[&str] = &[
    "application/json",
    "text/plain",
    "application/octet-stream",
    SUBMISSIONS_TYPE,
    "multipart/form-data; boundary=x",
    "application/json; charset=utf-7",
    "",
    "\u{1}",
];
const DOCUMENTS: &[&str] = &[
    "",
    "{",
    "{}",
    "[]",
    "null",
    "\"",
    "{\"submission\":null}",
    "{\"submission\":\"AAAA\"}",
    "{\"submission\":\"////\",\"submission\":\"\"}",
    "{\"party\":\"\u{0}\",\"key\":1e999}",
    "{\"party\":\"00\",\"key\":\"ed25519:00\",\"nonce\":\"\",\"host\":\"\",\"signature\":\"\"}",
    "\u{feff}{}",
];

/// A path with its parts filled in and a query of nonsense.
fn address(random: &mut Random) -> String {
    let id = match random.below(3) {
        0 => "0".repeat(random.below(200)),
        1 => format!("{:032x}", random.0),
        _ => random.one_of(VALUES).to_owned(),
    };
    let mut path = random.one_of(PATHS).replace("{id}", &id);
    for index in 0..random.below(4) {
        let mark = if index == 0 { '?' } else { '&' };
        let (name, value) = (random.one_of(PARAMETERS), random.one_of(VALUES));
        path.push_str(&format!("{mark}{name}={value}"));
    }
    // A height nobody has reached is waited for, which costs five seconds: seldom.
    if random.below(200) == 0 {
        path.push_str(if path.contains('?') { "&" } else { "?" });
        path.push_str("at_least=18446744073709551615");
    }
    path
}

fn head(random: &mut Random, url: &str, method: &str, path: &str) -> String {
    let kind = random.one_of(KINDS);
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: {kind}\r\n",
        wire::host(url)
    )
}

/// Everything that the attackers share.
struct Attack<'a> {
    url: &'a str,
    /// A good request body of one signed transaction.
    signed: Vec<u8>,
    /// The same of a key that nobody holds.
    unknown: Vec<u8>,
}

impl Attack<'_> {
    /// One hostile request; gives the answer.
    fn strike(&self, random: &mut Random) -> Answer {
        match random.below(12) {
            0 => self.random_bytes(random),
            1 => self.questions(random),
            2 => self.documents(random),
            3 => self.oversized(random),
            4 => self.half_open(random),
            5 => self.upgrade(random),
            6 => self.submissions(random),
            7 => self.forged(random),
            8 => self.headers(random),
            9 => self.chunks(random),
            10 => self.pages(random),
            _ => self.questions(random),
        }
    }

    fn random_bytes(&self, random: &mut Random) -> Answer {
        let mut bytes = random.bytes(600);
        bytes.extend(b"\r\n\r\n");
        wire::exchange(self.url, &bytes)
    }

    fn questions(&self, random: &mut Random) -> Answer {
        let (method, path) =
            (if random.below(3) == 0 { random.one_of(METHODS) } else { "GET" }, address(random));
        // Streams stay open by design; they are asked for as pages.
        let accept = "Accept: application/json\r\n";
        let head = head(random, self.url, method, &path);
        wire::exchange(self.url, format!("{head}{accept}Content-Length: 0\r\n\r\n").as_bytes())
    }

    fn documents(&self, random: &mut Random) -> Answer {
        let path = random.one_of(&["/v1/session", "/v1/frequency", "/v1/unit", "/v1/bill"]);
        let body = match random.below(4) {
            0 => "[".repeat(random.below(200_000)),
            1 => format!("{{\"submission\":\"{}\"}}", "A".repeat(random.below(100_000))),
            _ => random.one_of(DOCUMENTS).to_owned(),
        };
        let method = random.one_of(&["POST", "DELETE"]);
        wire::request(self.url, (method, path), random.one_of(KINDS), body.as_bytes())
    }

    fn oversized(&self, random: &mut Random) -> Answer {
        let path = random.one_of(&["/v1/transactions", "/v1/session", "/v1/unit", "/v1/status"]);
        let head = head(random, self.url, "POST", path);
        let length =
            random.one_of(&["99999999999999999999", "1099511627776", "-1", "0x10", "9000000"]);
        let body = vec![b'A'; random.below(400_000)];
        let head = format!("{head}Content-Length: {length}\r\n\r\n");
        let mut stream = wire::connect(self.url);
        let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        let _ = stream.shutdown(std::net::Shutdown::Write);
        wire::read(&mut stream)
    }

    /// Goes away in the middle.
    fn half_open(&self, random: &mut Random) -> Answer {
        let path = address(random);
        let request = head(random, self.url, "POST", &path) + "Content-Length: 100\r\n\r\n12345";
        let end = random.below(request.len() + 1);
        let mut stream = wire::connect(self.url);
        let _ = stream.write_all(&request.as_bytes()[..end]);
        Answer { status: 0, body: Vec::new() }
    }

    fn upgrade(&self, random: &mut Random) -> Answer {
        let (version, key) = (
            random.one_of(&["13", "12", "", "x"]),
            random.one_of(&["dGhlIHNhbXBsZSBub25jZQ==", "", "short"]),
        );
        let request = format!(
            "GET /v1/live HTTP/1.1\r\nHost: {}\r\nConnection: {}\r\nUpgrade: {}\r\n\
             Sec-WebSocket-Version: {version}\r\nSec-WebSocket-Key: {key}\r\n\r\n",
            wire::host(self.url),
            random.one_of(&["Upgrade", "close", "keep-alive, Upgrade"]),
            random.one_of(&["websocket", "h2c", "TLS/1.3"]),
        );
        let mut stream = wire::connect(self.url);
        let _ = stream.write_all(request.as_bytes());
        let frame: Vec<u8> = match random.below(5) {
            0 => random.bytes(300),
            // Unmasked, a length beyond all memory, a frame that is never ended, a wrong first frame.
            1 => [vec![0x81, 0x05], b"hello".to_vec()].concat(),
            2 => [vec![0x82, 0xff], vec![0xff; 12]].concat(),
            3 => vec![0x01, 0x84, 0, 0, 0, 0, b'a', b'b', b'c', b'd'],
            _ => [vec![0x81, 0x82, 0, 0, 0, 0], b"[]".to_vec()].concat(),
        };
        let _ = stream.write_all(&frame);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        wire::read(&mut stream)
    }

    fn send(&self, body: &[u8]) -> Answer {
        wire::request(self.url, ("POST", "/v1/transactions"), SUBMISSIONS_TYPE, body)
    }

    /// Broken encodings: cut short, lengthened, of wrong lengths, of noise.
    fn submissions(&self, random: &mut Random) -> Answer {
        let body = match random.below(5) {
            0 => self.signed[..random.below(self.signed.len())].to_vec(),
            1 => [&self.signed[..], &random.bytes(50)].concat(),
            2 => [&[0xff; 4], &self.signed[4..]].concat(),
            3 => {
                let mut body = self.signed.clone();
                let at = random.below(body.len().saturating_sub(4));
                body[at..at + 4].fill(0xff);
                body
            }
            _ => random.bytes(5_000),
        };
        self.send(&body)
    }

    /// One bit is other than what was signed, or nobody knows the key.
    fn forged(&self, random: &mut Random) -> Answer {
        let mut body = self.signed.clone();
        match random.below(3) {
            0 => body = self.unknown.clone(),
            _ => {
                let at = random.below(body.len());
                body[at] ^= 1 << random.below(8);
            }
        }
        self.send(&body)
    }

    fn headers(&self, random: &mut Random) -> Answer {
        let mut request = head(random, self.url, "GET", "/v1/status");
        match random.below(6) {
            0 => request.push_str(&"X-Y: z\r\n".repeat(random.below(3_000))),
            1 => request.push_str(&format!("X-Long: {}\r\n", "y".repeat(random.below(300_000)))),
            2 => request.push_str("Host: elsewhere\r\nHost: nowhere\r\n"),
            3 => request.push_str("Authorization: Bearer \u{0}\r\n"),
            4 => request.push_str(&format!(
                "Authorization: Bearer {}\r\n",
                "a".repeat(random.below(9_000))
            )),
            _ => request.push_str(
                "Content-Length: 5\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n",
            ),
        }
        wire::exchange(self.url, (request + "\r\n").as_bytes())
    }

    fn chunks(&self, random: &mut Random) -> Answer {
        let path = random.one_of(&["/v1/transactions", "/v1/unit"]);
        let head = head(random, self.url, "POST", path) + "Transfer-Encoding: chunked\r\n\r\n";
        let body = random.one_of(&[
            "zz\r\n",
            "ffffffffffffffff\r\nabc",
            "5\r\nabcde\r\n0\r\n\r\n",
            "0\r\n\r\n",
            "5;x=\"\r\nabcde",
        ]);
        let mut stream = wire::connect(self.url);
        let _ = stream.write_all((head + body).as_bytes());
        let _ = stream.shutdown(std::net::Shutdown::Write);
        wire::read(&mut stream)
    }

    /// Long and strange paths.
    fn pages(&self, random: &mut Random) -> Answer {
        let path = match random.below(4) {
            0 => "/".repeat(random.below(20_000) + 1),
            1 => format!("/v1/{}", "%2e%2e/".repeat(random.below(500))),
            2 => format!("/v1/blocks/{}", "9".repeat(random.below(5_000))),
            _ => format!("/{}?{}", random.one_of(VALUES), "a=b&".repeat(random.below(2_000))),
        };
        let method = random.one_of(&["GET", "HEAD"]);
        let head = head(random, self.url, method, &path);
        wire::exchange(self.url, (head + "\r\n").as_bytes())
    }
}

/// What a process keeps in memory, in KiB; `None` where the system does not tell.
fn resident_kib(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn payment(connection: &Connection, key: SigningKey, usage_point: UsagePointId) -> Vec<u8> {
    let body = PayBill { usage_point, amount: MicroCurrency::new(1) };
    let mut signer = connection.signer(key).unwrap();
    let submission = signer.submission(body, Vec::new(), &[], Timestamp::new(1)).unwrap();
    encode(&Bounded::<Submission, 1_000>::try_from(vec![submission]).unwrap())
}

/// Runs the attackers over the requests `from..until`; counts the answers by status.
fn assault(attack: &Attack<'_>, from: u64, until: u64, counts: &[AtomicU64]) {
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for number in (from..until).filter(|number| number % THREADS == thread) {
                    let mut random = Random(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
                    random.below(2);
                    let answer = attack.strike(&mut random);
                    let text = String::from_utf8_lossy(&answer.body);
                    let is_fine = answer.status < 500 || answer.status == 503;
                    assert!(is_fine, "request {number}: {} {text}", answer.status);
                    assert!(!text.contains("\"accepted\""), "request {number} was taken: {text}");
                    counts[usize::from(answer.status).min(599)].fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
}

#[test]
fn hostile_requests_make_no_node_fall() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("demo");
    let at = path.to_str().unwrap();
    json(&["demo", "--once", "--json", "--homes", "2", "--dir", at]);
    let said = dir.path().join("stderr");
    let mut command = gridtally();
    command.args(["node", "--json", "--listen", "127.0.0.1:0", "--dir", at]);
    command.stderr(Stdio::from(std::fs::File::create(&said).unwrap()));
    let node = NodeProcess::wait_for(command);
    let key = |name: &str| -> SigningKey {
        let file = path.join("keys").join(name);
        KeyFile::read(Path::new(&file)).unwrap().unlock(None).unwrap()
    };
    let connection = Connection::new(&node.url).unwrap();
    let points = connection.get_json("/v1/usage-points").unwrap();
    let point: UsagePointId = points["items"][0]["usage_point"].as_str().unwrap().parse().unwrap();
    // Both have expired: what the attackers do not break is refused all the same.
    let attack = Attack {
        url: &node.url,
        signed: payment(&connection, key("household-1.key"), point),
        unknown: payment(&connection, SigningKey::from_seed([99; 32]), point),
    };
    let mut slow: Vec<_> = (0..SLOW).map(|_| wire::connect(&node.url)).collect();
    let counts: Vec<AtomicU64> = (0..600).map(|_| AtomicU64::new(0)).collect();
    let (mut done, mut memory) = (0, Vec::new());
    for step in 1..=10 {
        for (index, stream) in slow.iter_mut().enumerate() {
            // One byte of a request at a time; who was dropped for it may stay dropped.
            let request = b"POST /v1/transactions HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n";
            let _ = stream.write(&request[step + index..step + index + 1]);
        }
        let until = requests() * step as u64 / 10;
        assault(&attack, done, until, &counts);
        done = until;
        memory.extend(resident_kib(node.id()));
    }
    drop(slow);
    let told: Vec<String> = (0..600_usize)
        .filter(|status| counts[*status].load(Ordering::Relaxed) > 0)
        .map(|status| format!("{status}: {}", counts[status].load(Ordering::Relaxed)))
        .collect();
    println!("{done} requests; answers by status {told:?}; resident KiB {memory:?}");

    // It is there, commits, and says of nothing that it panicked.
    let keeper = path.join("keys/clock-keeper.key");
    let to = ["--to", "2016-07-01T00:00:00+05:30", "--key", keeper.to_str().unwrap()];
    expect(0, &[&["submit", "advance-clock", "--node", &node.url], &to[..]].concat());
    let mut text = String::new();
    std::fs::File::open(&said).unwrap().read_to_string(&mut text).unwrap();
    assert!(!text.contains("panicked"), "{text}");
    // After the first two tenths nothing grows but by what allocators keep.
    if let (Some(warm), Some(last)) = (memory.get(1), memory.last()) {
        assert!(*last <= warm + warm / 4 + 8 * 1_024, "memory grows: {memory:?} KiB");
    }
    node.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(node.wait(), Some(0));
    expect(0, &["replay", "--dir", at]);
}
